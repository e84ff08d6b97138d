package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Egress allows workloads of its namespace to call destinations outside the mesh. It takes effect only while
// spec.featureFlags.enableEgressPolicy of the MeshConfig is true.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,path=egresses,singular=egress,shortName=egress
// +kubebuilder:metadata:labels=app.kubernetes.io/name=openservicemesh.io
// +kubebuilder:printcolumn:name="Accepted",type=string,description="Whether the mesh acts on this object",JSONPath=`.status.conditions[?(@.type=="Accepted")].status`
// +kubebuilder:printcolumn:name="Resolved",type=string,description="Whether all objects and hosts that it refers to exist",JSONPath=`.status.conditions[?(@.type=="ResolvedRefs")].status`
// +kubebuilder:printcolumn:name="Ready",type=string,description="Whether the object is in force, and all objects that it refers to exist",JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Egress struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec contains the clients and their destinations.
	// +required
	Spec EgressSpec `json:"spec"`

	// status reports whether the mesh applies this object. Only the mesh writes it.
	// +optional
	Status PolicyStatus `json:"status,omitzero"`
}

// EgressSpec defines which clients may call which destinations.
type EgressSpec struct {
	// sources are the clients.
	// +required
	// +kubebuilder:validation:MaxItems=256
	Sources []EgressSourceSpec `json:"sources"`

	// hosts are the DNS names or IP addresses that clients may call on ports with the protocol http, and the server names that they may
	// request on ports with the protocol https. The sidecar resolves them itself.
	// +optional
	// +kubebuilder:validation:MaxItems=256
	Hosts []string `json:"hosts,omitempty"`

	// ipAddresses are ranges in CIDR notation, IPv4 or IPv6. They restrict ports with the protocols https, tcp and tcp-server-first.
	// Default: every address for tcp and tcp-server-first, and the addresses of hosts for https.
	// +optional
	// +kubebuilder:validation:MaxItems=256
	IPAddresses []string `json:"ipAddresses,omitempty"`

	// ports are the ports of the destinations.
	// +required
	// +kubebuilder:validation:MaxItems=64
	Ports []EgressPortSpec `json:"ports"`

	// matches are HTTPRouteGroups of the same namespace, and at most one UpstreamTrafficSetting. On ports with the protocol http, only
	// requests that match one of the HTTPRouteGroups are allowed. Default: all requests.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	Matches []EgressMatchSpec `json:"matches,omitempty"`
}

// EgressSourceSpec identifies a client by its service account.
type EgressSourceSpec struct {
	// kind is ServiceAccount.
	// +required
	Kind string `json:"kind"`

	// name is the name of the service account.
	// +required
	Name string `json:"name"`

	// namespace is the namespace of the service account. It must be the namespace of the Egress.
	// +required
	Namespace string `json:"namespace"`
}

// EgressPortSpec is a port and its protocol.
type EgressPortSpec struct {
	// number is the port of the destinations.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Number int32 `json:"number"`

	// protocol is http, https, tcp or tcp-server-first.
	// +required
	Protocol string `json:"protocol"`
}

// EgressMatchSpec refers to an object that selects requests or limits connections.
type EgressMatchSpec struct {
	// apiGroup is specs.smi-spec.io for an HTTPRouteGroup, and policy.openservicemesh.io for an UpstreamTrafficSetting, optionally with a
	// version.
	// +optional
	APIGroup *string `json:"apiGroup,omitempty"`

	// kind is HTTPRouteGroup or UpstreamTrafficSetting.
	// +required
	Kind string `json:"kind"`

	// name is the name of the object.
	// +required
	Name string `json:"name"`
}

// EgressList is a list of Egresses.
//
// +kubebuilder:object:root=true
type EgressList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []Egress `json:"items"`
}
