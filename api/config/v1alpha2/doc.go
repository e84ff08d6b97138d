// Package v1alpha2 contains MeshConfig, the settings of a running mesh. Field names, types and semantics are those of Open Service
// Mesh 1.2, so existing objects are accepted unchanged.
//
// The object osm-mesh-config in the namespace of the mesh flows in. Typed settings for the controller and the injector flow out. The
// package contains only types and validation markers. Values of stored objects stay valid, except values that never had an effect:
// invalid durations and invalid IP ranges. IPv6 ranges are accepted in addition.
//
// +kubebuilder:object:generate=true
// +groupName=config.openservicemesh.io
package v1alpha2
