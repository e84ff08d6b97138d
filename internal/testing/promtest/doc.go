// Package promtest runs a real Prometheus in tests.
//
// The addresses to scrape flow in; the address of a Prometheus that scrapes them every second flows out. The path of the binary is in the
// environment variable PROMETHEUS_BIN: a test that needs it fails without it.
package promtest
