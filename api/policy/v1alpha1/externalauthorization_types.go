package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ExternalAuthorization makes a server decide about inbound HTTP requests, in addition to all other policies. In the namespace of the mesh it
// concerns the pods of all namespaces, elsewhere those of its namespace. A pod has at most one of each: one with a selector before one
// without, then the oldest. Both, and the server of the MeshConfig, must allow a request.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,path=externalauthorizations,singular=externalauthorization,shortName=extauthz
// +kubebuilder:metadata:labels=app.kubernetes.io/name=openservicemesh.io
// +kubebuilder:printcolumn:name="Accepted",type=string,description="Whether the mesh acts on this object",JSONPath=`.status.conditions[?(@.type=="Accepted")].status`
// +kubebuilder:printcolumn:name="Resolved",type=string,description="Whether the ExtensionService exists",JSONPath=`.status.conditions[?(@.type=="ResolvedRefs")].status`
// +kubebuilder:printcolumn:name="Ready",type=string,description="Whether the object is in force, and all objects that it refers to exist",JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,description="Why the object is not in force, or Ready",JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type ExternalAuthorization struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec contains the pods and the server.
	// +required
	Spec ExternalAuthorizationSpec `json:"spec"`

	// status reports whether the mesh applies this object. Only the mesh writes it.
	// +optional
	Status PolicyStatus `json:"status,omitzero"`
}

// ExternalAuthorizationSpec selects pods and configures the requests of their sidecars to the server.
type ExternalAuthorizationSpec struct {
	// selector selects pods that have all these labels. Default: all pods.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	Selector map[string]string `json:"selector,omitempty"`

	// extensionService is the server. With the protocol h2c or grpc it has Envoy's authorization API. With the protocol http it gets the
	// request without its body, and allows it with status 200.
	// +required
	ExtensionService ExtensionServiceRef `json:"extensionService"`

	// timeout bounds each decision, from 10ms to 1m. Default: 1s.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	Timeout string `json:"timeout,omitempty"`

	// failureModeAllow allows requests that the server does not decide. Default: they get status 503.
	// +optional
	FailureModeAllow bool `json:"failureModeAllow,omitempty"`

	// maxRequestBytes sends the first bytes of the request body to the server. Default: no body.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=65536
	MaxRequestBytes int32 `json:"maxRequestBytes,omitempty"`

	// pathPrefix is put before the path of requests to a server with the protocol http.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	PathPrefix string `json:"pathPrefix,omitempty"`

	// requestHeaders are the headers that the server gets. Default: all headers with gRPC; with http, host, method, path and authorization,
	// which it always gets.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	RequestHeaders []string `json:"requestHeaders,omitempty"`

	// responseHeaders are the headers that a server with the protocol http may add to an allowed request.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	ResponseHeaders []string `json:"responseHeaders,omitempty"`
}

// ExternalAuthorizationList is a list of ExternalAuthorizations.
//
// +kubebuilder:object:root=true
type ExternalAuthorizationList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []ExternalAuthorization `json:"items"`
}
