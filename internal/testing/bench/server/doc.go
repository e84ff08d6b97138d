// Package server is the measured process of the benchmark: a control plane that serves the sidecars of an invented mesh and
// reports what that costs it.
//
// Commands flow in as lines of JSON; answers with the use of processor and memory flow out the same way. Three control planes
// can be chosen: ours, the cache that comes with go-control-plane, and a bare broadcast that decides nothing.
package server
