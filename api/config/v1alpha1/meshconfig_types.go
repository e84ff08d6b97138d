package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/api/config/v1alpha2"
)

// MeshConfig holds the settings of a running mesh, as v1alpha2 does.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:deprecatedversion:warning="config.openservicemesh.io/v1alpha1 MeshConfig is deprecated: write apiVersion config.openservicemesh.io/v1alpha2, with the same fields"
// +kubebuilder:resource:scope=Namespaced
// +kubebuilder:metadata:labels=app.kubernetes.io/name=openservicemesh.io
type MeshConfig struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec is the settings.
	// +optional
	Spec v1alpha2.MeshConfigSpec `json:"spec,omitzero"`

	// status says how the mesh took the settings; only the operator writes it.
	// +optional
	Status v1alpha2.MeshConfigStatus `json:"status,omitzero"`
}

// MeshConfigList is a list of MeshConfigs.
//
// +kubebuilder:object:root=true
type MeshConfigList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []MeshConfig `json:"items"`
}
