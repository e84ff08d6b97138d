// Package desired computes the desired state of a Mesh, with every default applied.
//
// It takes a Mesh and the version of the operator, and returns plain values and the desired MeshRevision. Its functions are pure.
package desired
