// Package promtest runs a real Prometheus in tests.
//
// Its input is the addresses of targets. Its output is the address of a Prometheus that scrapes them every second. The
// environment variable PROMETHEUS_BIN must hold the path of the binary.
package promtest
