package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// PolicyStatus reports whether the mesh applies a policy. Only the mesh writes it.
type PolicyStatus struct {
	// conditions contains Accepted, which is True when the whole object takes effect. Otherwise its message names the part
	// without effect and the reason.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// SummarizedStatus reports whether the mesh applies a policy. It adds the fields of Open Service Mesh to the conditions.
type SummarizedStatus struct {
	// currentStatus is committed when the whole object takes effect, and error otherwise.
	// +optional
	CurrentStatus string `json:"currentStatus,omitempty"`

	// reason explains currentStatus.
	// +optional
	Reason string `json:"reason,omitempty"`

	PolicyStatus `json:",inline"`
}
