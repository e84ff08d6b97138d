// Package procusage reads what other processes use, and keeps processes on cores, for benchmarks.
//
// Process IDs and commands flow in. CPU time and memory flow out.
package procusage
