// Package plan computes what the operator would do about a Mesh with spec.mode Plan.
//
// In flow a Mesh, the cluster, and the other controllers of Meshes; out flow status.plan and the condition Planned. The plan is a
// simulation: the controllers act on an in-memory copy of what they would change, in turns, until nothing changes. A server-side dry run
// cannot do this, because each write depends on the ones before.
package plan
