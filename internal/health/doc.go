// Package health serves what every program of the mesh serves over plain HTTP: health, metrics and its version, under
// OSM's paths.
//
// A metrics registry and the program's own judgement of its readiness flow in; an HTTP handler and its server flow out.
package health
