// Package checks finds out whether a cluster can take a mesh, and whether a mesh is healthy.
//
// A client flows in; results with what to do about them flow out, grouped, in a steady order. A check that cannot be made for
// lack of rights is Unknown and never Failed.
package checks
