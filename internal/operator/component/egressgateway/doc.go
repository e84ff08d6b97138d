// Package egressgateway is a component that runs the egress gateway of a mesh.
//
// A Mesh and its active control plane flow in; Kubernetes objects and their health flow out.
package egressgateway
