// Command bench measures how long a change takes from the catalog to the sidecars, and the resources that it uses.
//
// It measures X of the same bytes. Each runs in its
// own process on one core, while this process imitates the sidecars on another. Its input is flags, its output tables of
// durations, sizes and ratios. docs/performance.md explains the results.
package main
