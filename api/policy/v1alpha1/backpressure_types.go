package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Backpressure limits the traffic to the Service that its label app names, in its own namespace. It is the predecessor of
// UpstreamTrafficSetting. If a Service has both, the UpstreamTrafficSetting takes precedence.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:deprecatedversion:warning="policy.openservicemesh.io/v1alpha1 Backpressure is deprecated: write an UpstreamTrafficSetting with the limits in spec.connectionSettings and the DNS name of the Service as spec.host"
// +kubebuilder:resource:scope=Namespaced,path=backpressures,singular=backpressure,shortName=backpressure
// +kubebuilder:metadata:labels=app.kubernetes.io/name=openservicemesh.io
// +kubebuilder:printcolumn:name="Service",type=string,JSONPath=`.metadata.labels.app`
// +kubebuilder:printcolumn:name="Accepted",type=string,description="Whether the mesh acts on this object",JSONPath=`.status.conditions[?(@.type=="Accepted")].status`
// +kubebuilder:printcolumn:name="Ready",type=string,description="Whether the object is in force, and all objects that it refers to exist",JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,description="Why the object is not in force, or Ready",JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Backpressure struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec contains the limits.
	// +optional
	Spec BackpressureSpec `json:"spec,omitzero"`

	// status reports whether the mesh applies this object. Only the mesh writes it.
	// +optional
	Status PolicyStatus `json:"status,omitzero"`
}

// BackpressureSpec contains the limits for each client. Absent fields mean no limit.
type BackpressureSpec struct {
	// maxConnections is the maximum number of open connections of each client.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=4294967295
	MaxConnections *int64 `json:"maxConnections,omitempty"`

	// maxRequests is the maximum number of active requests of each client.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=4294967295
	MaxRequests *int64 `json:"maxRequests,omitempty"`

	// maxPendingRequests is the maximum number of requests of each client that wait for a connection.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=4294967295
	MaxPendingRequests *int64 `json:"maxPendingRequests,omitempty"`

	// maxRetries is the maximum number of active retries of each client.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=4294967295
	MaxRetries *int64 `json:"maxRetries,omitempty"`

	// maxRequestsPerConnection is the maximum number of requests on a connection before it is closed.
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
