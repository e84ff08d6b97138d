// Package datapath measures what a pair of sidecars adds to the requests between two pods, and the memory of a sidecar.
//
// Pods with real Envoys in network namespaces flow in: without sidecars, with the least configuration that encrypts and authenticates, and with
// that of a mesh. Latencies, CPU time for each request and resident memory flow out as metrics of Go benchmarks. They require root, the ip
// program and ENVOY_BIN.
package datapath
