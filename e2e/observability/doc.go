// Package observability tests the servers that show the state of a mesh: Prometheus, a prometheus-operator and Jaeger.
//
// Input: a checkout and a machine that can run the local cluster. Output: test results. Every test runs in `make test-full` only, because
// the servers are built from their sources.
package observability
