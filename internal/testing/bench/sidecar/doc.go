// Package sidecar measures what the statistics of a sidecar cost.
//
// The path of Envoy flows in. For each selection of statistics, series, CPU time and memory of an Envoy that forwards requests at a fixed
// rate flow out.
package sidecar
