// Package procusage reads what other processes use, for benchmarks.
//
// Process IDs flow in. CPU time and memory flow out.
package procusage
