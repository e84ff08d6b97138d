// Package v1alpha1 holds the policies of Open Service Mesh for traffic inside the mesh, with the field names, types and meaning
// that it gave them: objects that were written for it are accepted as they are.
//
// In flow the objects that application teams write in their namespaces; out flow the definitions of their kinds, and typed
// objects for clients. The package contains types and their validation markers, nothing that acts.
//
// +kubebuilder:object:generate=true
// +groupName=policy.openservicemesh.io
package v1alpha1
