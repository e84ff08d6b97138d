// Package rehearsal lets the operator act on a cluster that exists in memory only, so that a plan is what its own code would do.
//
// A cluster to read from flows in; Client is that cluster with all changes kept beside it, and out flow the changes. The reader has
// no way to write, so a rehearsal cannot change anything, whatever the code does that is rehearsed. What the rest of a cluster would do is
// played: pods of Deployments become ready, workloads that are restarted get their new sidecars, and every gate passes.
package rehearsal
