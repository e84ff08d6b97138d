package v1alpha2

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Name is the name of the MeshConfig that a mesh reads. It is in the namespace of the mesh.
const Name = "osm-mesh-config"

// MeshConfig contains the settings of a running mesh. A mesh reads the object osm-mesh-config in its namespace.
// Changes take effect immediately, unless the description of a field limits them to new pods.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:storageversion
// +kubebuilder:resource:scope=Namespaced,categories=osm
// +kubebuilder:metadata:labels=app.kubernetes.io/name=openservicemesh.io
type MeshConfig struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec contains the settings of the mesh.
	// +optional
	Spec MeshConfigSpec `json:"spec,omitzero"`

	// status reports whether the mesh applies the settings. Only the operator writes it.
	// +optional
	Status MeshConfigStatus `json:"status,omitzero"`
}

// MeshConfigSpec contains the settings of a mesh. Absent fields have the default in their description.
type MeshConfigSpec struct {
	// sidecar configures the Envoy container and the init container of pods.
	// +optional
	Sidecar SidecarSpec `json:"sidecar,omitzero"`

	// traffic configures which traffic is redirected to sidecars, and the handling of traffic without a policy.
	// +optional
	Traffic TrafficSpec `json:"traffic,omitzero"`

	// observability configures logs, traces and the debug server.
	// +optional
	Observability ObservabilitySpec `json:"observability,omitzero"`

	// certificate configures the certificates of workloads and of an ingress gateway.
	// +optional
	Certificate CertificateSpec `json:"certificate,omitzero"`

	// featureFlags enable and disable individual features.
	// +optional
	FeatureFlags FeatureFlags `json:"featureFlags,omitzero"`
}

// MeshConfigStatus reports what the mesh does not apply of the settings. It is empty if all of them take effect, so that clients can write back the
// MeshConfig that they have read.
type MeshConfigStatus struct {
	// observedGeneration is the generation of the MeshConfig that this status describes.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions contains Accepted, which is False, while a field that is set has no effect: its message lists these fields.
	// ServiceAnswers is False while the external authorizer of the mesh does not answer sidecars.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ConditionAccepted is False while a field that is set in the MeshConfig has no effect, and absent otherwise.
const ConditionAccepted = "Accepted"

// MeshConfigList is a list of MeshConfigs.
//
// +kubebuilder:object:root=true
type MeshConfigList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []MeshConfig `json:"items"`
}
