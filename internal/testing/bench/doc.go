// Package bench measures how long a change takes from the catalog to the sidecars, and the resources that it uses.
//
// The control plane runs in a process of its own on one core, while the process of the benchmark imitates the sidecars on another. Meshes flow in;
// durations, sizes and CPU times flow out. docs/performance.md explains the results.
//
// Values that do not depend on the machine are compared with the best that were ever measured, in best.json. TestGoldenCosts does so in `make test`.
package bench
