// Package stat reads the traffic of a mesh from Prometheus.
//
// The address of a Prometheus that scrapes the sidecars flows in. One row for each workload or Service with its rates, success and latency
// flows out. The numbers are those that the servers' sidecars count, so each request counts once.
package stat
