// Package v1alpha1 contains the Open Service Mesh policies for traffic inside the mesh. Field names, types and semantics are those of
// Open Service Mesh, so existing objects are accepted unchanged.
//
// Objects that application teams create in their namespaces flow in. The definitions of their kinds and typed objects flow out. The
// package contains only types and validation markers.
//
// +kubebuilder:object:generate=true
// +groupName=policy.openservicemesh.io
package v1alpha1
