// Package demo is the bookstore: four small HTTP programs that buy, steal, sell and store books, to show what a mesh
// allows and denies.
//
// A bookbuyer and a bookthief ask the bookstore for books; each version of the bookstore says in a header which one it
// is; the bookstore restocks at the bookwarehouse, which writes into a MySQL database. Flows in: environment variables
// and requests. Flows out: requests at a steady pace, and what became of them, as a page on /, as JSON on /counters and
// as probes on /health and /health/live.
//
// Paths, ports, header and variable names are those of the Open Service Mesh demo, so its policies apply unchanged.
package demo
