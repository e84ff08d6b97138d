// Package restart restarts workloads in waves, for an upgrade and for the removal of a mesh.
//
// In flow the wave that internal/operator/rollout has chosen; out flow patches of pod templates, and of the images of slots. A patch that is denied,
// for example by a policy engine, is reported for its workload, and retried with a backoff; the other workloads go on.
package restart
