// Command bench measures the way of a change from the catalog to the sidecars, and what holds it up.
//
// In one run it measures our control plane, the cache that comes with go-control-plane, and a bare broadcast of the same bytes,
// each in a process of its own on one core, while this process imitates the sidecars on another. Flags flow in; tables of
// times, sizes and ratios flow out. docs/performance.md explains the results.
package main
