// Package mesh generates the meshes of the benchmark, and computes the resources that each change must send to each sidecar.
//
// Its input is a mode and a number of sidecars. Its output is catalog entries, changes, and the added or replaced resources. It
// is deterministic, so that several processes compute the same mesh.
package mesh
