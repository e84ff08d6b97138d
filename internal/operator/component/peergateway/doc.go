// Package peergateway is a component that runs the peer gateway of a mesh, through which connections with other meshes pass.
//
// A Mesh and its active control plane flow in; Kubernetes objects and their health flow out.
package peergateway
