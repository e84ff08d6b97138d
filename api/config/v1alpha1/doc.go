// Package v1alpha1 holds the older version of MeshConfig, for what was written for it.
//
// Nothing flows in or out: nobody reads this version, its objects are those of v1alpha2. Its fields are those of v1alpha2, also
// the ones that it did not have in Open Service Mesh: nothing converts between the versions, and a field that this version did
// not know would be lost when an object is written through it.
//
// +kubebuilder:object:generate=true
// +groupName=config.openservicemesh.io
package v1alpha1
