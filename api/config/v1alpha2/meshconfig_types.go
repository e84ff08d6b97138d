package v1alpha2

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Name is the name of the one MeshConfig that a mesh reads, in the namespace of the mesh.
const Name = "osm-mesh-config"

// MeshConfig holds the settings of a running mesh. A mesh reads the object named osm-mesh-config in its
// namespace; changes act at once, except where a field says that they act on new pods.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:storageversion
// +kubebuilder:resource:scope=Namespaced
// +kubebuilder:metadata:labels=app.kubernetes.io/name=openservicemesh.io
type MeshConfig struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec is the settings.
	// +optional
	Spec MeshConfigSpec `json:"spec,omitzero"`

	// status says how the mesh took the settings; only the operator writes it.
	// +optional
	Status MeshConfigStatus `json:"status,omitzero"`
}

// MeshConfigSpec is the settings of a mesh. What is absent has the default its comment names.
type MeshConfigSpec struct {
	// sidecar is about the Envoy container and the init container of pods.
	// +optional
	Sidecar SidecarSpec `json:"sidecar,omitzero"`

	// traffic is about traffic that is redirected, and traffic that no policy speaks about.
	// +optional
	Traffic TrafficSpec `json:"traffic,omitzero"`

	// observability is about logs, traces and the debug server.
	// +optional
	Observability ObservabilitySpec `json:"observability,omitzero"`

	// certificate is about the certificates of workloads and of an ingress gateway.
	// +optional
	Certificate CertificateSpec `json:"certificate,omitzero"`

	// featureFlags switch single features on and off.
	// +optional
	FeatureFlags FeatureFlags `json:"featureFlags,omitzero"`
}

// MeshConfigStatus says how the mesh took the settings.
type MeshConfigStatus struct {
	// observedGeneration is the generation of the MeshConfig that this status speaks about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions: Accepted is True when every field that is set is acted on; otherwise its message names those
	// that are not.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ConditionAccepted is True when every field that the MeshConfig sets is acted on.
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
