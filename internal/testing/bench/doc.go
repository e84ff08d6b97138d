// Command bench measures how long a change takes from the catalog to the sidecars, and the resources that it uses.
//
// It measures the control plane of this project, and a broadcast of the same bytes as the lower bound. Each runs in a process of its own on one
// core, while this process imitates the sidecars on another. Flags flow in; tables of durations, sizes and ratios flow out.
// docs/performance.md explains the results.
//
// Values that do not depend on the machine are compared with the best that were ever measured, in best.json. TestGoldenCosts does so in `make test`.
package main
