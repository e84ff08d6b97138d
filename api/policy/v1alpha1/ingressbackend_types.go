package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// IngressBackend admits clients from outside the mesh, such as an ingress controller, to Services of its namespace. It takes effect only
// while spec.featureFlags.enableIngressBackendPolicy of the MeshConfig is true.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,path=ingressbackends,singular=ingressbackend,shortName=ingressbackend
// +kubebuilder:metadata:labels=app.kubernetes.io/name=openservicemesh.io
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.currentStatus`
// +kubebuilder:printcolumn:name="Accepted",type=string,description="Whether the mesh acts on this object",JSONPath=`.status.conditions[?(@.type=="Accepted")].status`
// +kubebuilder:printcolumn:name="Resolved",type=string,description="Whether all objects that it refers to exist",JSONPath=`.status.conditions[?(@.type=="ResolvedRefs")].status`
// +kubebuilder:printcolumn:name="Ready",type=string,description="Whether the object is in force, and all objects that it refers to exist",JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,description="Why the object is not in force, or Ready",JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type IngressBackend struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec contains the backends and their clients.
	// +required
	Spec IngressBackendSpec `json:"spec"`

	// status reports whether the mesh applies this object. Only the mesh writes it.
	// +optional
	Status SummarizedStatus `json:"status,omitzero"`
}

// IngressBackendSpec defines which clients may reach which ports.
type IngressBackendSpec struct {
	// backends are the ports that clients may reach.
	// +required
	// +kubebuilder:validation:MaxItems=256
	Backends []BackendSpec `json:"backends"`

	// sources are the clients. A client must come from one of the Services or IP ranges, if there are any. With TLS, it must also have
	// a certificate with one of the authenticated principals, unless skipClientCertValidation is true.
	// +required
	// +kubebuilder:validation:MaxItems=256
	Sources []IngressSourceSpec `json:"sources"`

	// matches are HTTPRouteGroups of the same namespace. Only requests that match one of them are admitted. Default: all requests.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	Matches []RouteReference `json:"matches,omitempty"`
}

// BackendSpec is one port of a Service.
type BackendSpec struct {
	// name is the name of a Service in the namespace of the IngressBackend.
	// +required
	Name string `json:"name"`

	// port is the port of the pods behind the Service.
	// +required
	Port PortSpec `json:"port"`

	// tls configures TLS with clients of a port with the protocol https.
	// +optional
	TLS TLSSpec `json:"tls,omitzero"`
}

// PortSpec is a port and its protocol.
type PortSpec struct {
	// number is the port of the pods: the targetPort of the Service, not its port.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Number int32 `json:"number"`

	// protocol is http, or https if clients connect with TLS.
	// +required
	Protocol string `json:"protocol"`
}

// TLSSpec configures TLS with clients outside the mesh.
type TLSSpec struct {
	// skipClientCertValidation accepts clients without a certificate. Default: false.
	// +optional
	SkipClientCertValidation bool `json:"skipClientCertValidation,omitempty"`

	// sniHosts are the server names that clients may request. Default: any name.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	SNIHosts []string `json:"sniHosts,omitempty"`
}

// IngressSourceSpec is a client outside the mesh.
type IngressSourceSpec struct {
	// kind is Service, IPRange or AuthenticatedPrincipal.
	// +required
	Kind string `json:"kind"`

	// name is the name of the Service, the IP range in CIDR notation, or the DNS or URI name in the client certificate.
	// +required
	Name string `json:"name"`

	// namespace is the namespace of the Service. Other kinds have none.
	// +optional
	Namespace string `json:"namespace,omitempty"`
}

// RouteReference refers to an object that selects requests.
type RouteReference struct {
	// apiGroup is specs.smi-spec.io, optionally with a version. Default: specs.smi-spec.io.
	// +optional
	APIGroup *string `json:"apiGroup,omitempty"`

	// kind is HTTPRouteGroup.
	// +required
	Kind string `json:"kind"`

	// name is the name of the object.
	// +required
	Name string `json:"name"`
}

// IngressBackendList is a list of IngressBackends.
//
// +kubebuilder:object:root=true
type IngressBackendList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []IngressBackend `json:"items"`
}
