// Package httpmetrics counts and times the answers of an HTTP server, under OSM's names.
//
// Handlers flow in; the same handlers, measured, flow out.
package httpmetrics
