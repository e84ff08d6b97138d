package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/api/config/v1alpha2"
)

// MeshConfig contains the settings of a running mesh. It has the same fields as v1alpha2.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:deprecatedversion:warning="config.openservicemesh.io/v1alpha1 MeshConfig is deprecated: write apiVersion config.openservicemesh.io/v1alpha2, with the same fields"
// +kubebuilder:resource:scope=Namespaced,categories=osm
// +kubebuilder:metadata:labels=app.kubernetes.io/name=openservicemesh.io
type MeshConfig struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec contains the settings of the mesh.
	// +optional
	Spec v1alpha2.MeshConfigSpec `json:"spec,omitzero"`

	// status reports whether the mesh applies the settings. Only the operator writes it.
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
