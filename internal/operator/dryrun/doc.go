// Package dryrun runs the operator's controllers against a simulated cluster, so that a plan is computed by the code that would apply it.
//
// A Cluster reads from a real cluster and keeps every change in memory. Its Client merges configurations with apimachinery's field
// manager, as an API server does. No type of the package holds a writer, so a dry run cannot change the real cluster. Run reconciles
// controllers in turn until nothing changes. Between rounds, pods become ready, restarted workloads get new sidecars, gates pass, and the
// clock advances. The output is the list of changes and of restarts.
//
// A dry run of the API server cannot replace the simulation: it answers one request and keeps nothing. A plan follows an upgrade through
// many reconciliations, each of which reads what the last one wrote, from creating a namespace to restarting the last workload.
package dryrun
