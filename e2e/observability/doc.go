// Package observability tests a mesh with the servers that observe it: Prometheus, a prometheus-operator, Jaeger and the metrics-server.
//
// Input: a checkout and a machine that can run the local cluster. Output: test results. Every test runs in `make test-full` only, because
// the servers are built from their sources.
package observability
