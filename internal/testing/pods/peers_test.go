package pods_test

import (
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// Peers of the mesh and their trust domains.
const (
	east, eastDomain = "east", "east.example"
	west, westDomain = "west", "west.example"
)

// peered is a shop whose server admits buyers of two peers.
type peered struct {
	*shop
	east, west *pki.Authority
}

func newPeered(t *testing.T) *peered {
	t.Helper()
	p := &peered{newShop(t), pki.New(t), pki.New(t)}
	p.server.Configure(t, p.serverScope())
	return p
}

// serverScope also admits the buyers of both peers to all ports with rules. Only the peer east may have the page /prices, and its buyer not /admin.
func (p *peered) serverScope() *scope.Scope {
	s := p.shop.serverScope()
	s.KnownTrustDomains = []string{"before.example", trustDomain}
	s.Peers = []scope.Peer{{Name: east, TrustDomain: eastDomain, RootsPEM: p.east.RootPEM}, {Name: west, TrustDomain: westDomain, RootsPEM: p.west.RootPEM}}
	for i := range s.Inbound {
		in := &s.Inbound[i]
		if in.Rules.Permissive {
			continue
		}
		for _, peer := range []string{east, west} {
			account := identity.PeerAccount{Peer: peer, Namespace: buyer.Namespace, Name: buyer.Name}
			rules := authz.PeerRules{Network: []authz.PeerNetworkRule{{Policy: "shop/peers", Sources: []identity.PeerAccount{account}}}}
			if in.Protocol.IsHTTP() {
				rules.Routes = peerRoutes(account)
			}
			in.Peers = append(in.Peers, scope.PeerInbound{Peer: peer, Ports: []uint16{in.Port}, Rules: rules})
		}
	}
	return s
}

func peerRoutes(account identity.PeerAccount) []authz.PeerRoute {
	routes := []authz.PeerRoute{
		{Match: catalog.HTTPMatch{PathRegex: "/books/.*", Methods: []string{"GET"}}, Sources: []identity.PeerAccount{account}},
		{Match: catalog.HTTPMatch{PathRegex: "/admin"}, Sources: []identity.PeerAccount{{Peer: account.Peer, Namespace: "shop", Name: "thief"}}},
	}
	if account.Peer == east {
		routes = append(routes, authz.PeerRoute{Match: catalog.HTTPMatch{PathRegex: "/prices"}, Sources: []identity.PeerAccount{account}})
	}
	return routes
}

// serverNameFor is the name by which clients of a trust domain request a port of a Service.
func serverNameFor(service entity.Name, port uint16, clients string) string {
	name, _ := identity.PeerServerName(service.Name, service.Namespace, port, trustDomain, clients)
	return name
}
