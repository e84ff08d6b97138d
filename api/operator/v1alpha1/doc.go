// Package v1alpha1 contains the API of the operator: Mesh, which declares a service mesh, and MeshRevision, one version of its
// control plane.
//
// Users write specs, and the operator writes status. The package contains types, validation markers, defaults, and the documented
// names of conditions and reasons; it imports no controller code. Defaults are applied by the code that reads a field and are never
// written into spec. The comment of each field states its default.
//
// +kubebuilder:object:generate=true
// +groupName=operator.openservicemesh.io
package v1alpha1
