package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// PolicyStatus says what the mesh made of a policy; only the mesh writes it.
type PolicyStatus struct {
	// conditions: Accepted is True when the whole object is in force; otherwise its message says which part is not, and why.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}
