// Package checks checks whether a cluster can run a mesh, and whether a mesh is healthy.
//
// A client flows in. Grouped results with remedies flow out, in a stable order. A check without the required permissions is Unknown,
// never Failed.
package checks
