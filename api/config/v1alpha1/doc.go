// Package v1alpha1 contains the deprecated version of MeshConfig, for existing manifests.
//
// The mesh reads only v1alpha2. There is no conversion between the versions, so v1alpha1 has all fields of v1alpha2. A field missing
// in v1alpha1 would be lost when an object is written in this version.
//
// +kubebuilder:object:generate=true
// +groupName=config.openservicemesh.io
package v1alpha1
