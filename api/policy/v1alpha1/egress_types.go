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
// +kubebuilder:printcolumn:name="Reason",type=string,description="Why the object is not in force, or Ready",JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
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
// +kubebuilder:validation:XValidation:rule="!has(self.gateway) || !self.ports.exists(p, p.protocol.startsWith('tcp'))",message="spec.ports has the protocol tcp or tcp-server-first, which the egress gateway does not forward: use http and https, or remove spec.gateway"
// +kubebuilder:validation:XValidation:rule="!has(self.gateway) || !has(self.ipAddresses) || self.ipAddresses.size() == 0",message="spec.ipAddresses has no effect with spec.gateway, because the egress gateway looks up the hosts: remove one of them"
type EgressSpec struct {
	// sources are the clients.
	// +required
	// +kubebuilder:validation:MaxItems=256
	Sources []EgressSourceSpec `json:"sources"`

	// hosts are DNS names or IP addresses for ports with the protocol http, and server names for ports with the protocol https. The sidecar
	// resolves them itself.
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

	// gateway sends requests and connections through the egress gateway of the mesh, which looks up the hosts. The Mesh enables it with
	// spec.egressGateway. Without a ready gateway, requests get status 503. Default: sidecars connect to the destinations themselves.
	// +optional
	Gateway *EgressGatewaySpec `json:"gateway,omitempty"`
}

// EgressGatewaySpec configures the egress gateway for an Egress.
type EgressGatewaySpec struct {
	// tls makes the gateway encrypt requests to ports with the protocol http. Default: it forwards them as they are.
	// +optional
	TLS *EgressTLSSpec `json:"tls,omitempty"`
}

// EgressTLSSpec is how the egress gateway connects to the servers.
type EgressTLSSpec struct {
	// port is the port of the servers for TLS. Default: 443.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port *int32 `json:"port,omitempty"`

	// secretName is the name of a Secret of the same namespace. Its key ca.crt has the authorities of the servers. The keys tls.crt and
	// tls.key are optional, and have the client certificate. Only the control plane and the gateway receive them.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	SecretName string `json:"secretName"`
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
