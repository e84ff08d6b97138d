package v1alpha2

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ExtensionService is a server that sidecars call, such as an OpenTelemetry collector. Policies of its namespace may refer to it, and those
// of all namespaces if it is in the namespace of the mesh. Sidecars connect without the TLS of the mesh.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,path=extensionservices,singular=extensionservice,shortName=extsvc
// +kubebuilder:metadata:labels=app.kubernetes.io/name=openservicemesh.io
// +kubebuilder:printcolumn:name="Host",type=string,JSONPath=`.spec.host`
// +kubebuilder:printcolumn:name="Port",type=integer,JSONPath=`.spec.port`
// +kubebuilder:printcolumn:name="Ready",type=string,description="Whether sidecars can use it",JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,description="Why the object is not in force, or Ready",JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type ExtensionService struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec describes the server.
	// +required
	Spec ExtensionServiceSpec `json:"spec"`

	// status reports whether sidecars can use the server. Only the mesh writes it.
	// +optional
	Status ExtensionServiceStatus `json:"status,omitzero"`
}

// ExtensionServiceSpec describes a server.
type ExtensionServiceSpec struct {
	// host is a DNS name or an IP address. Sidecars look it up themselves.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Host string `json:"host"`

	// port is the port of the server.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port"`

	// protocol is h2c or grpc for a server with HTTP/2 without TLS, or http for one with HTTP/1.1. Default: h2c.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	Protocol string `json:"protocol,omitempty"`

	// connectTimeout bounds connecting, such as 500ms. Default: 2s.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	ConnectTimeout string `json:"connectTimeout,omitempty"`
}

// ExtensionServiceStatus reports whether sidecars can use a server.
type ExtensionServiceStatus struct {
	// conditions contains Accepted, which is True when sidecars can use the server.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ExtensionServiceList is a list of ExtensionServices.
//
// +kubebuilder:object:root=true
type ExtensionServiceList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []ExtensionService `json:"items"`
}
