// Package largemesh is a mesh of 1,000 services and 10,000 policies, as an API server would list its objects, and measures how long
// the command line takes to answer questions about it.
//
// Nothing flows in; objects, and times, flow out.
package largemesh
