// Package rollout computes how a mesh moves from one version to another: which revision runs the control plane, which workloads
// are restarted now, whether the gates pass, and when to roll back.
//
// Observations flow in: revisions and their verdicts, workloads and their pods, replica counts, proxies, NACKs, error rates and the
// current time. Plans flow out, each with a reason for users. Every function is pure and keeps no state between calls, so a restarted
// operator continues from what it observes.
package rollout
