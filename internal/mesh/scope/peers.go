package scope

import (
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// MaxPeerChains is how many filter chains for clients of peers a sidecar has: one for each peer of a port with HTTP, and one for each account of other ports.
const MaxPeerChains = 64

// Peer is another mesh.
type Peer struct {
	Name        string
	TrustDomain string
	// RootsPEM are trusted for names in the trust domain of the peer only.
	RootsPEM []byte
}

// PeerInbound are the clients of one peer on a port.
type PeerInbound struct {
	// Peer is the name of an element of Scope.Peers.
	Peer string
	// Ports are the Service's ports that lead to the container's port, sorted.
	Ports []uint16
	Rules authz.PeerRules
}

// PeerDestination is a port of a Service in another mesh. Connections go to the peer gateway of this mesh, which forwards them to that of the peer, or to that
// of the peer.
type PeerDestination struct {
	// Peer is the name of an element of Scope.Peers.
	Peer string
	// Port is that of the Service of the peer.
	Port uint16
	// Servers are sorted. The server must prove one of them.
	Servers []identity.PeerAccount
	// Direct is true if connections go to the gateways of the peer, and Gateway is the one with a DNS name. Without a host, the endpoints have addresses.
	Direct  bool
	Gateway catalog.Server
}

// chains is how many filter chains the clients have.
func (p *PeerInbound) chains(protocol inventory.Protocol) int {
	if protocol.IsHTTP() {
		return 1
	}
	return len(p.Accounts())
}

// Accounts returns the accounts that may connect, sorted.
func (p *PeerInbound) Accounts() []identity.PeerAccount {
	accounts := lists.FlatMap(p.Rules.Network, func(rule authz.PeerNetworkRule) []identity.PeerAccount { return rule.Sources })
	return lists.UniqueFunc(accounts, identity.PeerAccount.Compare)
}

func (in *Inbound) peerChains() int {
	count := 0
	for i := range in.Peers {
		count += in.Peers[i].chains(in.Protocol)
	}
	return count
}

// PeerGateway is the configuration of a peer gateway. It forwards TLS by server names, and has no key of its own.
type PeerGateway struct {
	// Exports are the ports of Services that peers may call, sorted by Service, port and peer.
	Exports []PeerExport
	// Peers are the meshes to which connections leave, sorted by name.
	Peers []PeerWay
	// Discovery is the control plane's server for the control planes of peers; an empty host means none.
	Discovery catalog.Server
}

// PeerExport is a port of a Service that clients of a peer may call.
type PeerExport struct {
	// Peer is the name of an element of Scope.Peers.
	Peer    string
	Service entity.Name
	Port    uint16
	// Cluster is the name of an element of Scope.Clusters.
	Cluster string
}

// PeerWay is the way to another mesh.
type PeerWay struct {
	// Peer is the name of an element of Scope.Peers.
	Peer string
	// Gateways are those of the peer: one DNS name, or addresses.
	Gateways []catalog.Server
}
