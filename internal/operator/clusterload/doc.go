// Package clusterload reads the mesh of a cluster once.
//
// The objects of the cluster flow in; they, or a catalog of them, flow out. The control plane does not read a mesh this way: it watches.
package clusterload
