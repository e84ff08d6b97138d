// Command verdict tests that sidecars with the bootstrap of this checkout work with the control plane of a recorded
// version, as after a rollback to that version. The default is the last recorded one.
//
// Input: the commit of the recorded version, and the bootstrap package of this checkout (internal/mesh/envoy/bootstrap).
// Output: the result of that version's random policy test with the bootstrap of this checkout. It needs root, the ip
// program and ENVOY_BIN.
//
//	go run ./verdict [-pairs N] [VERSION]
package main
