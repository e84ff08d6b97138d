// Package metrics exports Prometheus metrics of meshes: phases, gates, sidecars, restarts and upgrades.
//
// A collector derives gauges from the cached status of Meshes at each scrape. A Recorder counts events: gate verdicts, restarts and completed
// upgrades. The metrics of a deleted Mesh are removed.
package metrics
