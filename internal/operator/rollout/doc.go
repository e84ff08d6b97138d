// Package rollout computes how a mesh moves from one version to another: the revision that runs the control plane, the workloads that are
// restarted now, the state of the gates, and the time of a rollback.
//
// Observations flow in: revisions and their verdicts, workloads and their pods, replica counts, proxies, NACKs, error rates and the
// current time. Plans flow out, each with a reason for users. Every function is pure and keeps no state between calls, so a restarted
// operator continues from what it observes.
package rollout
