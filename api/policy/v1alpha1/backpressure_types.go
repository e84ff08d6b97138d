package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Backpressure bounds the traffic to the Service of its namespace that its label app names. It is how the first releases of
// Open Service Mesh wrote an UpstreamTrafficSetting, which counts instead where a Service has one.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:deprecatedversion:warning="policy.openservicemesh.io/v1alpha1 Backpressure is deprecated: write an UpstreamTrafficSetting with the limits in spec.connectionSettings and the DNS name of the Service as spec.host"
// +kubebuilder:resource:scope=Namespaced,path=backpressures,singular=backpressure,shortName=backpressure
// +kubebuilder:metadata:labels=app.kubernetes.io/name=openservicemesh.io
// +kubebuilder:printcolumn:name="Service",type=string,JSONPath=`.metadata.labels.app`
// +kubebuilder:printcolumn:name="Accepted",type=string,description="Whether the mesh acts on this object",JSONPath=`.status.conditions[?(@.type=="Accepted")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Backpressure struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec is the limits.
	// +optional
	Spec BackpressureSpec `json:"spec,omitzero"`

	// status says what the mesh made of this object; only the mesh writes it.
	// +optional
	Status PolicyStatus `json:"status,omitzero"`
}

// BackpressureSpec is limits for each client. Absent means no limit.
type BackpressureSpec struct {
	// maxConnections is how many connections a client may have open.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=4294967295
	MaxConnections *int64 `json:"maxConnections,omitempty"`

	// maxRequests is how many requests of a client may be on their way.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=4294967295
	MaxRequests *int64 `json:"maxRequests,omitempty"`

	// maxPendingRequests is how many requests of a client may wait for a connection.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=4294967295
	MaxPendingRequests *int64 `json:"maxPendingRequests,omitempty"`

	// maxRetries is how many repetitions of requests of a client may be on their way.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=4294967295
	MaxRetries *int64 `json:"maxRetries,omitempty"`

	// maxRequestsPerConnection is after how many requests a connection is closed.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=4294967295
	MaxRequestsPerConnection *int64 `json:"maxRequestsPerConnection,omitempty"`
}

// BackpressureList is a list of Backpressures.
//
// +kubebuilder:object:root=true
type BackpressureList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []Backpressure `json:"items"`
}
