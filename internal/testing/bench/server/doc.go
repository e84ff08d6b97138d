// Package server is the measured process of the benchmark: a control plane that serves the sidecars of a generated mesh and
// reports its resource usage.
//
// Its input is commands as lines of JSON, its output answers with CPU and memory usage. It can run this project's control plane,
// or a broadcast without any logic.
package server
