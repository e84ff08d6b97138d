package names

import "slices"

// SharedGateways returns the names of the gateways that a mesh has at most once.
func SharedGateways() []string { return []string{IngressGateway, EgressGateway, PeerGateway} }

// IsGateway reports whether a name is that of a gateway of a mesh. The app label of its pods, in the namespace of the mesh, has this name.
func IsGateway(name string) bool {
	return slices.Contains(SharedGateways(), name) || IsDedicatedGateway(name)
}
