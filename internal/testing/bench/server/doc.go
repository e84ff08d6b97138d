// Package server is the control plane of the benchmark and of tests over a long time: the snapshot store and the xDS server, from the catalog on, with
// tokens, certificates and TLS.
//
// A generated mesh and the keys of its sidecars flow in; responses to sidecars, and counts of what was read and renewed flow out.
package server
