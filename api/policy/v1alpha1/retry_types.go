package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Retry says how often, and when, the sidecar of a client repeats failed requests to some Services. It acts while
// spec.featureFlags.enableRetryPolicy of the MeshConfig is true. The namespace of the object decides nothing.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,path=retries,singular=retry,shortName=retry
// +kubebuilder:metadata:labels=app.kubernetes.io/name=openservicemesh.io
// +kubebuilder:printcolumn:name="Accepted",type=string,description="Whether the mesh acts on this object",JSONPath=`.status.conditions[?(@.type=="Accepted")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Retry struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec is the policy.
	// +required
	Spec RetrySpec `json:"spec"`

	// status says what the mesh made of this object; only the mesh writes it.
	// +optional
	Status PolicyStatus `json:"status,omitzero"`
}

// RetrySpec is whose requests are repeated, those to whom, and how.
type RetrySpec struct {
	// source is the client.
	// +required
	Source RetrySource `json:"source"`

	// destinations are the servers.
	// +required
	// +kubebuilder:validation:MaxItems=1024
	Destinations []RetryDestination `json:"destinations"`

	// retryPolicy is how requests are repeated.
	// +required
	RetryPolicy RetryPolicySpec `json:"retryPolicy"`
}

// RetrySource is a client.
type RetrySource struct {
	// kind is ServiceAccount.
	// +required
	Kind string `json:"kind"`

	// name is the name of the service account.
	// +required
	Name string `json:"name"`

	// namespace is the namespace of the service account.
	// +required
	Namespace string `json:"namespace"`
}

// RetryDestination is a server.
type RetryDestination struct {
	// kind is Service.
	// +required
	Kind string `json:"kind"`

	// name is the name of the Service.
	// +required
	Name string `json:"name"`

	// namespace is the namespace of the Service.
	// +required
	Namespace string `json:"namespace"`
}

// RetryPolicySpec is how requests are repeated.
type RetryPolicySpec struct {
	// retryOn are Envoy's conditions under which a request is repeated, separated by commas, for example 5xx,connect-failure.
	// +required
	// +kubebuilder:validation:MaxLength=512
	RetryOn string `json:"retryOn"`

	// perTryTimeout is how long each attempt may take, for example 1s; 0s does not limit it.
	// +required
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[+]?(0|(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|ms|s|m|h))+)$')",messageExpression="'spec.retryPolicy.perTryTimeout \"' + self + '\" is not a duration: write a number with a unit, for example 1s or 250ms'"
	PerTryTimeout string `json:"perTryTimeout"`

	// numRetries is how often a request is repeated at most.
	// +required
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=4294967295
	NumRetries int64 `json:"numRetries"`

	// retryBackoffBaseInterval is the pause before the first repetition, for example 25ms; the following ones grow up to ten
	// times that.
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
