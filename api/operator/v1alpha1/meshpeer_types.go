package v1alpha1

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MeshPeer declares another mesh as a peer. Its name is part of policies: ServiceExports and ServiceImports refer to it with the label
// openservicemesh.io/peer, and sources of TrafficTargets begin with it. A peer is trusted for identities in its own trust domain only, and may call
// nothing unless a ServiceExport and a TrafficTarget allow it. Both meshes declare each other.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,categories=osm
// +kubebuilder:printcolumn:name="Mesh",type=string,JSONPath=`.spec.mesh`
// +kubebuilder:printcolumn:name="Trust Domain",type=string,JSONPath=`.spec.trustDomain`
// +kubebuilder:printcolumn:name="Accepted",type=string,JSONPath=`.status.conditions[?(@.type=="Accepted")].status`
// +kubebuilder:printcolumn:name="Connected",type=string,JSONPath=`.status.conditions[?(@.type=="Connected")].status`
// +kubebuilder:printcolumn:name="Exports",type=integer,JSONPath=`.status.exports`
// +kubebuilder:printcolumn:name="Imports",type=integer,JSONPath=`.status.imports`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Trust",type=string,JSONPath=`.status.conditions[?(@.type=="TrustReady")].reason`,priority=1
// +kubebuilder:printcolumn:name="Versions",type=string,JSONPath=`.status.versions`,priority=1
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63 && !self.metadata.name.contains('.')",messageExpression="'metadata.name \"' + self.metadata.name + '\" cannot name a peer: it is the value of the label openservicemesh.io/peer and part of other names, so use at most 63 characters and no dots'"
type MeshPeer struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec declares the peer.
	// +required
	Spec MeshPeerSpec `json:"spec"`

	// status is the observed state of the peer. Only the control plane of the mesh writes it. The default keeps kstatus from regarding a new
	// object as complete.
	// +optional
	// +kubebuilder:default:={"observedGeneration":-1}
	Status MeshPeerStatus `json:"status,omitzero"`
}

// MeshPeerSpec declares a peer.
type MeshPeerSpec struct {
	// mesh is the name of the Mesh of this cluster whose peer it is.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=53
	Mesh string `json:"mesh"`

	// trustDomain is the trust domain of the peer. It differs from those of this mesh and of its other peers, and none of them is a subdomain of
	// another one. Otherwise the peer is not accepted.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",messageExpression="'spec.trustDomain \"' + self + '\" is not a trust domain: write a lowercase DNS name, for example east.example.com'"
	TrustDomain string `json:"trustDomain"`

	// trust is what proves the identities of the peer.
	// +required
	Trust PeerTrust `json:"trust"`

	// gateways accept connections to the peer: one DNS name, or up to 16 addresses of one peer gateway. They are never learned from the peer.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.size() == 1 || self.all(g, g.address.contains(':') || g.address.matches('^([0-9]{1,3}[.]){3}[0-9]{1,3}$'))",message="spec.gateways has a DNS name and another gateway: write one DNS name, or IP addresses only"
	Gateways []PeerGatewayAddress `json:"gateways"`

	// outbound is who connects to the gateways of the peer: OwnGateway, the peer gateway of this mesh, or Direct, the sidecars of clients. With Direct,
	// the peer sees the addresses of pods or nodes, and of several gateways those count whose addresses have the family of the first one. Control
	// planes connect through the peer gateway in both cases. Default: OwnGateway.
	// +optional
	Outbound *PeerOutbound `json:"outbound,omitempty"`
}

// PeerOutbound is who connects to the gateways of a peer for clients of this mesh.
// +kubebuilder:validation:Enum=OwnGateway;Direct
type PeerOutbound string

// The values of PeerOutbound.
const (
	// PeerOutboundOwnGateway connects through the peer gateway of this mesh.
	PeerOutboundOwnGateway PeerOutbound = "OwnGateway"
	// PeerOutboundDirect lets sidecars connect themselves. Services with pods that are joined with one of a peer whose gateway has a DNS name are
	// an exception: their clients connect through the peer gateway of this mesh.
	PeerOutboundDirect PeerOutbound = "Direct"
)

// PeerTrust is what proves the identities of a peer.
type PeerTrust struct {
	// caBundle has the roots of the peer. They are trusted for names in the trust domain of the peer only.
	// +required
	CABundle CABundle `json:"caBundle"`

	// follow also trusts the roots that the peer changes to, if it announces them over a connection that the roots trusted so far have proven. Without it,
	// a rotation of the peer needs a change of caBundle. Default: true.
	// +optional
	Follow *bool `json:"follow,omitempty"`
}

// PeerGatewayAddress is where a gateway of a peer accepts connections.
type PeerGatewayAddress struct {
	// address is an IP address or a DNS name, which peer gateways of this mesh look up.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])[.]){3}(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])$|^[0-9a-fA-F:]*:[0-9a-fA-F:.]*$|^([a-z0-9]([-a-z0-9]*[a-z0-9])?[.])*[a-z]([-a-z0-9]*[a-z0-9])?$')",messageExpression="'spec.gateways has the address \"' + self + '\", which is no IP address and no DNS name: write for example 192.0.2.7 or gateway.east.example.com'"
	Address string `json:"address"`

	// port is the port of the gateway. Default: 15443.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port *int32 `json:"port,omitempty"`
}

// PeerContactInterval is how often lastConnectedTime of a connected peer is written.
const PeerContactInterval = 10 * time.Minute

// DefaultPeerTrustFollow, DefaultPeerGatewayPort and DefaultPeerOutbound are defaults of a MeshPeerSpec.
const (
	DefaultPeerTrustFollow       = true
	DefaultPeerGatewayPort int32 = 15443
	DefaultPeerOutbound          = PeerOutboundOwnGateway
)

// MeshPeerStatus is the observed state of a peer.
type MeshPeerStatus struct {
	// observedGeneration is the generation of the MeshPeer that this status is based on.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions are Accepted, TrustReady, Connected, Compatible and TrustDiffersFromDeclaration.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// exports is the number of Services of this mesh that the peer may call.
	// +optional
	Exports int32 `json:"exports,omitempty"`

	// imports is the number of Services of the peer that workloads of this mesh can call.
	// +optional
	Imports int32 `json:"imports,omitempty"`

	// rootFingerprints are the SHA-256 fingerprints of the roots of the peer that this mesh trusts, in hexadecimal, sorted.
	// +optional
	// +listType=set
	RootFingerprints []string `json:"rootFingerprints,omitempty"`

	// acknowledgedRoots are the SHA-256 fingerprints of the roots of this mesh that the peer trusts, as its control plane reports now, in hexadecimal,
	// sorted. There are none while it is not connected. A rotation of the certificate authority waits until each accepted peer acknowledges the new root.
	// +optional
	// +listType=set
	AcknowledgedRoots []string `json:"acknowledgedRoots,omitempty"`

	// lastConnectedTime is when the control plane of the peer was last known to be connected. It is absent if it never was, and written every ten
	// minutes while it is.
	// +optional
	LastConnectedTime *metav1.Time `json:"lastConnectedTime,omitempty"`

	// versions are those of the control plane of the peer, as it reports them, sorted. There are several while the peer is upgraded.
	// +optional
	// +listType=set
	Versions []string `json:"versions,omitempty"`
}

// The conditions of a MeshPeer.
const (
	// PeerAccepted is True when the peer counts: its Mesh exists, its trust domain is distinct, and there are not too many peers.
	PeerAccepted = "Accepted"
	// PeerTrustReady is True when this mesh has roots of the peer that are valid.
	PeerTrustReady = "TrustReady"
	// PeerConnected is True while the control plane of this mesh is connected with that of the peer. Workloads keep what they know without it.
	PeerConnected = "Connected"
	// PeerCompatible is True when both control planes can exchange exports. It is Unknown before the first connection.
	PeerCompatible = "Compatible"
	// PeerTrustDiffersFromDeclaration is True while the peer has other roots than those of spec.trust.caBundle, because it changed them. The reason shows
	// whether they are followed. It does not exist otherwise.
	PeerTrustDiffersFromDeclaration = "TrustDiffersFromDeclaration"
)

// MeshPeerList is a list of peers.
//
// +kubebuilder:object:root=true
type MeshPeerList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []MeshPeer `json:"items"`
}
