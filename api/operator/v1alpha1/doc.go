// Package v1alpha1 holds the kinds that users of the operator declare and read: Mesh, the one object that
// describes a mesh, and MeshRevision, one concrete version of its control plane.
//
// In flow the objects that users apply; out flow the typed specs that the operator's reconcilers render from
// and the statuses they write. The package contains types, their validation markers and the documented names
// of conditions and reasons, nothing that acts. Defaults are applied by the code that reads a field and shown
// in status, never written into spec; each field's comment states its default.
//
// +kubebuilder:object:generate=true
// +groupName=operator.openservicemesh.io
package v1alpha1
