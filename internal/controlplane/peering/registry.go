package peering

import (
	"cmp"
	"crypto/x509"
	"slices"
	"sync"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/peering"
)

// Peer is another mesh.
type Peer struct {
	// Name is that of the MeshPeer.
	Name        string
	TrustDomain string
	// RootsPEM are the declared roots.
	RootsPEM []byte
	// Follow also trusts roots that the peer sends, for at most peering.MaxFollow.
	Follow bool
	// Gateways are where the peer gateway of this mesh connects to. A change ends the stream to the peer, so that the next one shows whether they work.
	Gateways []catalog.Server
}

func (p Peer) equal(other Peer) bool {
	return p.Name == other.Name && p.TrustDomain == other.TrustDomain && string(p.RootsPEM) == string(other.RootsPEM) && p.Follow == other.Follow &&
		slices.Equal(p.Gateways, other.Gateways)
}

// registry has the peers and the roots that are trusted for each. It is safe for concurrent use.
type registry struct {
	now func() time.Time

	mu    sync.Mutex
	peers map[string]*registered
}

type registered struct {
	Peer
	// sent is the bundle that the peer has sent, and since when it is not the declared one.
	sent  []byte
	since time.Time
}

func newRegistry(now func() time.Time) *registry {
	return &registry{now: now, peers: map[string]*registered{}}
}

// set replaces the peers. What a peer has sent is kept if it is the same mesh.
func (r *registry) set(peers []Peer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.peers
	r.peers = map[string]*registered{}
	for _, peer := range peers {
		entry := &registered{Peer: peer}
		if old := before[peer.Name]; old != nil && old.TrustDomain == peer.TrustDomain {
			entry.sent, entry.since = old.sent, old.since
		}
		r.peers[peer.Name] = entry
	}
}

// setSent records the bundle that a peer has sent.
func (r *registry) setSent(name string, bundle []byte, since time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if entry := r.peers[name]; entry != nil {
		entry.sent, entry.since = bundle, since
	}
}

// list returns the peers, sorted by name.
func (r *registry) list() []Peer {
	r.mu.Lock()
	defer r.mu.Unlock()
	peers := make([]Peer, 0, len(r.peers))
	for _, entry := range r.peers {
		peers = append(peers, entry.Peer)
	}
	slices.SortFunc(peers, func(a, b Peer) int { return cmp.Compare(a.Name, b.Name) })
	return peers
}

// trusted returns the roots for a peer; ok is false if there is no such peer.
func (r *registry) trusted(name string) (trusted peering.Trusted, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	entry := r.peers[name]
	if entry == nil {
		return peering.Trusted{}, false
	}
	return peering.Follow(entry.RootsPEM, entry.sent, entry.Follow, entry.since, r.now()), true
}

// verify verifies a chain of certificates as that of the control plane of a peer.
func (r *registry) verify(peer Peer, chain []*x509.Certificate, usage x509.ExtKeyUsage) error {
	trusted, ok := r.trusted(peer.Name)
	if !ok {
		return errUnknownPeer
	}
	return verifyChain(chain, verification{roots: trusted.RootsPEM, trustDomain: peer.TrustDomain, at: r.now(), usage: usage})
}

// byServerName returns the peer that requests this mesh by a server name, and the trust domain of this mesh by which it does.
func (r *registry) byServerName(serverName string, own []string) (peer Peer, domain string, ok bool) {
	for _, candidate := range r.list() {
		for _, domain := range own {
			if serverName == identity.DiscoveryServerName(domain, candidate.TrustDomain) {
				return candidate, domain, true
			}
		}
	}
	return Peer{}, "", false
}
