// Package xds is the gRPC server for proxies: incremental and state-of-the-world ADS, and load reporting.
//
// Connections and tokens flow in; each stream is authenticated and bound to a stream of the snapshot Store, whose responses flow
// out. Load reports flow to package loadstats.
//
// The package decides who may connect, how much a connection may use, and when it ends. Package snapshot decides what is sent.
// State-of-the-world ADS is an adapter (sotw.go) around a delta stream.
package xds
