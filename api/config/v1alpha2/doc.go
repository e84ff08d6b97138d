// Package v1alpha2 holds MeshConfig, the settings of a running mesh, with the field names, types and meaning
// that Open Service Mesh 1.2 gave it: objects that were written for it are accepted as they are.
//
// In flow the one object named osm-mesh-config in the namespace of the mesh; out flow typed settings for the
// controller and the injector. The package contains types and their validation markers, nothing that acts.
// What a stored object may already contain stays accepted, with these exceptions, all of which had no working
// meaning: durations that cannot be parsed, and IP ranges that are no range. IPv6 ranges are accepted in addition.
//
// +kubebuilder:object:generate=true
// +groupName=config.openservicemesh.io
package v1alpha2
