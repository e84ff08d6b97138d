package v1alpha2

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// SidecarClass is a size of sidecars. OSM did not have it.
type SidecarClass struct {
	// name is the value of the annotation openservicemesh.io/sidecar-class.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// namespaceSelector selects the namespaces whose pods may have the class, by their labels. Default: all namespaces.
	// +optional
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector,omitempty"`

	// resources replace spec.sidecar.resources as a whole. Default: spec.sidecar.resources.
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`

	// concurrency is the number of worker threads of Envoy. Default: one for each whole CPU of the limit, and 2 without a limit.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=128
	Concurrency *int32 `json:"concurrency,omitempty"`

	// drainTimeout is how long connections of an earlier Envoy may last after a later one has taken over in its pod, at least 1m. A value longer than
	// spec.sidecar.drainTimeout of the Mesh has no effect. Default: spec.sidecar.drainTimeout of the Mesh.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$') && duration(self) >= duration('1m')",messageExpression="'drainTimeout \"' + self + '\" is not a duration of at least a minute: write a number with a unit, for example 10m'"
	DrainTimeout string `json:"drainTimeout,omitempty"`
}
