// Package demo implements the bookstore demo: four small HTTP programs that buy, steal, sell and store books, to show what
// a mesh allows and denies.
//
// A bookbuyer and a bookthief send requests to the bookstore, whose versions identify themselves in a header. The bookstore
// restocks at the bookwarehouse, which writes to a MySQL database. Each program reads environment variables and flags. It
// reports the outcomes of its requests as a page on /, as JSON on /counters, and has probes on /health and /health/live.
//
// Paths, ports, headers and variables are those of the Open Service Mesh demo, so its policies apply unchanged.
package demo
