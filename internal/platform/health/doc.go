// Package health serves the endpoints that all components share over plain HTTP: health, metrics and version, under
// OSM's paths.
//
// Its input is a metrics registry and a readiness check. Its output is an HTTP handler and its server.
package health
