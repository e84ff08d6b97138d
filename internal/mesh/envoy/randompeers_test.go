package envoy_test

import (
	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// randomPeers are the peers of random scopes. The last one has no roots.
var randomPeers = []scope.Peer{
	{Name: "east", TrustDomain: "east.example", RootsPEM: []byte("roots")},
	{Name: "west", TrustDomain: "west.example", RootsPEM: []byte("roots")},
	{Name: "rootless", TrustDomain: "rootless.example"},
}

// anyPeers generates the clients of peers of a port, each peer once.
func anyPeers(t *rapid.T, in scope.Inbound) []scope.PeerInbound {
	var peers []scope.PeerInbound
	for _, peer := range randomPeers {
		if !rapid.Bool().Draw(t, peer.Name) {
			continue
		}
		account := rapid.Map(anyAccount, func(a identity.ServiceAccount) identity.PeerAccount {
			return identity.PeerAccount{Peer: peer.Name, Namespace: a.Namespace, Name: a.Name}
		})
		of := scope.PeerInbound{Peer: peer.Name, Ports: rapid.SliceOfNDistinct(anyPort, 1, 2, rapid.ID).Draw(t, "ports")}
		of.Rules.Permissive = rapid.Bool().Draw(t, "permissive")
		of.Rules.Network = []authz.PeerNetworkRule{{Policy: "ns/p", Sources: rapid.SliceOfN(account, 0, 3).Draw(t, "clients")}}
		for _, route := range in.Rules.Routes {
			of.Rules.Routes = append(of.Rules.Routes, authz.PeerRoute{
				Match: route.Match, AnySource: route.AnySource, Sources: rapid.SliceOfN(account, 0, 2).Draw(t, "sources"),
			})
		}
		peers = append(peers, of)
	}
	return peers
}
