// Command verdict proves that the control plane of a recorded version serves sidecars that start as those of this checkout do: it is what
// a mesh has that goes back to that version.
//
// In flow the commit that the version was built from and what this checkout renders for sidecars (internal/envoy/bootstrap); out flows
// what the version's own test of random policies says when its sidecars start from that. It needs root, the ip program and ENVOY_BIN.
//
//	go run ./verdict [-pairs N] VERSION
package main
