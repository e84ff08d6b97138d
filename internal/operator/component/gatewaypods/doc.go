// Package gatewaypods renders the objects that the gateways of a mesh have in common: pods with Envoy, their identity and their disruption
// budget. Envoy gets its configuration from the control plane, as a sidecar does.
//
// A Mesh, its active control plane and the settings of a gateway flow in; Kubernetes objects flow out.
package gatewaypods
