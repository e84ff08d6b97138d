// Package takeover surveys what a Mesh would do with a running Open Service Mesh, for "osm migrate".
//
// A cluster flows in, by its API; a Report flows out: what is in the way, what becomes of each object, which workloads restart and how long that
// takes. It changes nothing.
package takeover
