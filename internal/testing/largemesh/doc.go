// Package largemesh provides a mesh with 1,000 services and 10,000 policies, as an API server lists it. Its
// benchmark measures the time of commands that evaluate it.
//
// A number of services flows in. Objects flow out.
package largemesh
