// Package rollout decides how a mesh moves from one version to another: which revision runs the control plane, which workloads
// are restarted now, whether what is observed is well, and when to go back.
//
// Observed facts flow in: revisions with their verdicts, workloads with their pods, counts of replicas, proxies, rejections and
// errors, and the clock. Decisions flow out, each with a reason for people. Everything is a pure function; nothing is remembered
// between two calls, so an operator that is killed goes on from what it sees.
package rollout
