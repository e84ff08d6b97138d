// Package xds serves sidecars over gRPC: aggregated discovery in its delta form, for other clients also in the
// state-of-the-world form, and load reports.
//
// Connections of sidecars and their tokens flow in; each becomes a stream of the snapshot Store, whose responses flow out.
// The package decides who may speak, how much, and when a connection ends; what is said is decided in snapshot.
package xds
