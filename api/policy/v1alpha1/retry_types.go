package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Retry configures how the sidecar of a client retries failed requests to Services. It takes effect only while
// spec.featureFlags.enableRetryPolicy of the MeshConfig is true. It must be in
// the namespace of its source; the Services may be in any namespace.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,path=retries,singular=retry,shortName=retry
// +kubebuilder:metadata:labels=app.kubernetes.io/name=openservicemesh.io
// +kubebuilder:printcolumn:name="Accepted",type=string,description="Whether the mesh acts on this object",JSONPath=`.status.conditions[?(@.type=="Accepted")].status`
// +kubebuilder:printcolumn:name="Ready",type=string,description="Whether the object is in force, and all objects that it refers to exist",JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,description="Why the object is not in force, or Ready",JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Retry struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec contains the retry policy.
	// +required
	Spec RetrySpec `json:"spec"`

	// status reports whether the mesh applies this object. Only the mesh writes it.
	// +optional
	Status PolicyStatus `json:"status,omitzero"`
}

// RetrySpec defines the client, the Services and the retry policy.
type RetrySpec struct {
	// source is the client whose requests are retried.
	// +required
	Source RetrySource `json:"source"`

	// destinations are the Services to which requests are retried.
	// +required
	// +kubebuilder:validation:MaxItems=1024
	Destinations []RetryDestination `json:"destinations"`

	// retryPolicy defines when and how often requests are retried.
	// +required
	RetryPolicy RetryPolicySpec `json:"retryPolicy"`
}

// RetrySource identifies a client by its service account.
type RetrySource struct {
	// kind is the kind of the client. It must be ServiceAccount.
	// +required
	Kind string `json:"kind"`

	// name is the name of the service account.
	// +required
	Name string `json:"name"`

	// namespace is the namespace of the service account. It must be the namespace of the Retry.
	// +required
	Namespace string `json:"namespace"`
}

// RetryDestination identifies a Service.
type RetryDestination struct {
	// kind is the kind of the destination. It must be Service.
	// +required
	Kind string `json:"kind"`

	// name is the name of the Service.
	// +required
	Name string `json:"name"`

	// namespace is the namespace of the Service.
	// +required
	Namespace string `json:"namespace"`
}

// RetryPolicySpec defines when and how often requests are retried.
type RetryPolicySpec struct {
	// retryOn is a comma-separated list of the Envoy retry conditions, for example 5xx,connect-failure.
	// +required
	// +kubebuilder:validation:MaxLength=512
	RetryOn string `json:"retryOn"`

	// perTryTimeout is the timeout of each attempt, for example 1s. The value 0s means no timeout. The minimum is 10ms; shorter
	// values count as 10ms.
	// +required
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[+]?(0|(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|ms|s|m|h))+)$')",messageExpression="'spec.retryPolicy.perTryTimeout \"' + self + '\" is not a duration: write a number with a unit, for example 1s or 250ms'"
	PerTryTimeout string `json:"perTryTimeout"`

	// numRetries is the maximum number of retries of a request. Numbers above 10 count as 10.
	// +required
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=4294967295
	NumRetries *int64 `json:"numRetries"`

	// retryBackoffBaseInterval is the base interval of the exponential backoff, for example 25ms. The maximum interval is ten
	// times the base interval.
	// +required
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[+]?(0|(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|ms|s|m|h))+)$')",messageExpression="'spec.retryPolicy.retryBackoffBaseInterval \"' + self + '\" is not a duration: write a number with a unit, for example 1s or 250ms'"
	RetryBackoffBaseInterval string `json:"retryBackoffBaseInterval"`
}

// RetryList is a list of Retries.
//
// +kubebuilder:object:root=true
type RetryList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []Retry `json:"items"`
}
