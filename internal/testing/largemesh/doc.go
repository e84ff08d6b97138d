// Package largemesh provides a mesh with 1,000 services and 10,000 policies, as an API server lists it. It measures the time of commands
// that evaluate it.
//
// Nothing flows in. Objects and durations flow out.
package largemesh
