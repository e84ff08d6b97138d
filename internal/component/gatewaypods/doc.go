// Package gatewaypods renders the objects that the gateways of a mesh have in common: pods with Envoy, which gets its configuration from the
// control plane as a sidecar does, their identity and their disruption budget.
//
// A Mesh, its active control plane and the settings of a gateway flow in; Kubernetes objects flow out.
package gatewaypods
