package report

import (
	"strings"
	"time"
)

// PeersPath is followed by the name of a MeshPeer. The document is a Peer.
const PeersPath = Root + "/peers/"

// Peer is what a replica knows of another mesh. Everything that the peer has sent is verified.
type Peer struct {
	Name string `json:"name"`
	// Exchanged is false if the replica exchanges nothing with the peer: there is no MeshPeer of this name, or it is not accepted. The other fields are then
	// empty.
	Exchanged bool `json:"exchanged"`
	// StaleSince is when the last stream to the peer ended; nil while there is one. What it has said before remains in force.
	StaleSince *time.Time `json:"staleSince,omitempty"`
	// Roots has the declared roots and those that are followed, as PEM. It is empty if only the declared ones are trusted.
	Roots string `json:"roots,omitempty"`
	// Services are those that the peer offers to this mesh, sorted by namespace and name.
	Services []PeerService `json:"services,omitempty"`
}

// PeerService is a Service that a peer offers.
type PeerService struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Ports are those that admit an account, sorted by number.
	Ports []PeerPort `json:"ports"`
}

// PeerPort is a port of a Service that a peer offers. Accounts are "<namespace>/<name>", sorted and separated by commas: a document with many short values
// would be rejected.
type PeerPort struct {
	Number uint16 `json:"number"`
	// Ready is true if the port has an endpoint that accepts connections.
	Ready bool `json:"ready,omitempty"`
	// Servers are the accounts of the pods behind the Service, in the mesh of the peer.
	Servers string `json:"servers,omitempty"`
	// Clients are the accounts that the peer admits, in this mesh.
	Clients string `json:"clients,omitempty"`
}

// JoinAccounts returns the list of accounts of a PeerPort.
func JoinAccounts(accounts []string) string { return strings.Join(accounts, ",") }

// SplitAccounts returns the accounts of a list, none for an empty one.
func SplitAccounts(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' })
}
