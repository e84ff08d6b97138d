// Package dryrun runs the operator's controllers against a simulated cluster, so that a plan is computed by the code that would apply it.
//
// A Cluster reads from a real cluster and keeps every change in memory. Its Client merges configurations with apimachinery's field
// manager, as an API server does. No type of the package holds a writer, so a dry run cannot change the real cluster. Run reconciles
// controllers in turn until nothing changes. Between rounds, pods become ready, restarted workloads get new sidecars, gates pass, and the
// clock advances. The output is the list of changes and of restarts.
//
// A dry run of the API server cannot replace the simulation: it answers one request and keeps nothing. A plan follows an upgrade through
// many reconciliations, each of which reads what the last one wrote, from creating a namespace to restarting the last workload.
//
// The fake client of controller-runtime 0.25 cannot replace Client, although it has server-side apply:
//   - It sets no generation, UID or creation time. Rollouts compare generations, owner references need UIDs, and a step of an upgrade begins
//     at the creation of its revision, by the simulated clock.
//   - It replaces lists of custom resources. The controllers of a Mesh would remove the conditions of each other, unless the client gets
//     the schemas of this package.
//   - It stores typed objects. Their empty structs, such as strategy and status, would appear as changes in a plan.
//   - It keeps deleted objects with finalizers, with a deletion time of the real clock.
//   - It counts equal writes as changes, so a run would not end without a comparison of its own.
//   - It cannot read from a cluster. Reads, lists and writes need the same overlay as here, in which the fake client would be a writer.
//   - An apply of a Deployment takes about five times as long: 2.7 ms instead of 0.5 ms.
package dryrun
