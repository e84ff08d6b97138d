// Package removal tests the removal of meshes on a real cluster: sidecars removed under load, and parts of a mesh
// deleted in the wrong order.
//
// Input: a cluster with the operator. Output: counted requests, and the objects that remain after a removal.
package removal
