// Package largemesh provides a mesh with 1,000 services and 10,000 policies, as an API server would list it, and measures how long the
// command line takes to answer questions about it.
//
// Nothing flows in. Objects and durations flow out.
package largemesh
