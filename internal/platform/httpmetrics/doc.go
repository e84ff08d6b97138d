// Package httpmetrics counts and times the responses of an HTTP server, under OSM's metric names.
//
// Its input is HTTP handlers. Its output is the same handlers with instrumentation.
package httpmetrics
