package identity

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// PeerAccount is a service account of another mesh, which this one knows as a peer. It is another type than ServiceAccount, so that the compiler rejects each
// place that would take the account of a peer for a local one.
type PeerAccount struct {
	// Peer is the name of the MeshPeer.
	Peer      string
	Namespace string
	Name      string
}

// String is "<peer>/<namespace>/<name>".
func (a PeerAccount) String() string { return a.Peer + "/" + a.Namespace + "/" + a.Name }

// Len is the length of the namespace and the name in bytes. That of the peer is not part of its certificates.
func (a PeerAccount) Len() int { return len(a.Namespace) + len(a.Name) }

// Compare orders by peer, namespace and name.
func (a PeerAccount) Compare(other PeerAccount) int {
	return cmp.Or(cmp.Compare(a.Peer, other.Peer), cmp.Compare(a.Namespace, other.Namespace), cmp.Compare(a.Name, other.Name))
}

// Principals returns the names in the account's certificate. The trust domains are those of the peer.
func (a PeerAccount) Principals(trustDomains []string) []string {
	return lists.Map(trustDomains, func(domain string) string { return a.Name + "." + a.Namespace + "." + domain })
}

// SplitPeerName splits the name "<peer>/<service account>" of a source in a TrafficTarget. No local service account has a slash in its name.
func SplitPeerName(name string) (peer, account string, ok bool) {
	peer, account, ok = strings.Cut(name, "/")
	return peer, account, ok && peer != "" && account != "" && !strings.Contains(account, "/")
}

// MaxPeerServerName is the maximum length of a server name in a TLS handshake that names a DNS host.
const MaxPeerServerName = 253

// PeerServerName is the server name by which clients of a mesh request a port of a Service of another mesh. It selects filter chains, and proves nothing. No
// name is longer than MaxPeerServerName, or ok is false.
func PeerServerName(service, namespace string, port uint16, servers, clients string) (name string, ok bool) {
	name = fmt.Sprintf("p%s.%s.%s.svc%s", strconv.Itoa(int(port)), service, namespace, PeerServerSuffix(servers, clients))
	return name, len(name) <= MaxPeerServerName
}

// PeerServerSuffix ends all names by which clients of one trust domain request servers of another.
func PeerServerSuffix(servers, clients string) string { return ".at." + servers + ".from." + clients }

// DiscoveryServerName is the server name by which the control plane of a mesh requests the control plane of another mesh.
func DiscoveryServerName(servers, clients string) string {
	return "discovery" + PeerServerSuffix(servers, clients)
}

// SharesNames reports whether accounts in two trust domains could have the same principal: the domains are equal, or one is a subdomain of the other.
func SharesNames(domain, other string) bool {
	return domain == other || AmbiguousTrustDomain(domain, []string{other}) != ""
}
