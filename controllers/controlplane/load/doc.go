// Package load fills a catalog once, for those who ask a question and do not stay: the command line, the demo's table, tests.
//
// A cluster, or objects from files, flow in; a catalog and the problems with what it was made of flow out. The kinds and their
// readers are those that a running control plane watches.
package load
