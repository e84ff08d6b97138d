// Package ingressgateway is a component that runs the ingress gateway of a mesh: Envoy, which gets its configuration from the control plane
// as a sidecar does.
//
// A Mesh and its active control plane flow in; Kubernetes objects and their health flow out.
package ingressgateway
