package names

import "slices"

// IsSystemNamespace returns true for the namespaces of Kubernetes. Their pods never get a sidecar: a cluster cannot start its mesh
// while its DNS and network depend on the mesh.
func IsSystemNamespace(name string) bool {
	return slices.Contains([]string{"kube-system", "kube-public", "kube-node-lease"}, name)
}
