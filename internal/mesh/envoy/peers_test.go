package envoy_test

import (
	"fmt"
	"strings"
	"testing"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

const maxServiceName = 63

// openedToEast is a port of a workload that admits a number of accounts of the peer east.
func openedToEast(service string, number uint16, protocol inventory.Protocol, accounts int) scope.Inbound {
	var rules authz.PeerRules
	for i := range accounts {
		account := identity.PeerAccount{Peer: "east", Namespace: "shop", Name: fmt.Sprintf("client-%03d", i)}
		rules.Network = append(rules.Network, authz.PeerNetworkRule{Policy: fmt.Sprintf("shop/%03d", i), Sources: []identity.PeerAccount{account}})
	}
	return scope.Inbound{
		Service: entity.Name{Namespace: "shop", Name: service}, Port: number, TargetPort: number, Protocol: protocol,
		Peers: []scope.PeerInbound{{Peer: "east", Ports: []uint16{number}, Rules: rules}},
	}
}

func serverOfPeers(class scope.Class, inbound ...scope.Inbound) *scope.Scope {
	return &scope.Scope{
		Common: scope.Common{
			Key: scope.Key{Identity: identity.ServiceAccount{Namespace: "shop", Name: "db"}, Class: class}, TrustDomain: "cluster.local",
			Peers: []scope.Peer{{Name: "east", TrustDomain: "east.example", RootsPEM: []byte("roots")}},
		},
		Sidecar: scope.Sidecar{Inbound: inbound},
	}
}

// TestPeerChainsAreBounded counts the filter chains for peers. What has none is closed.
func TestPeerChainsAreBounded(t *testing.T) {
	long := strings.Repeat("a", maxServiceName)
	for name, test := range map[string]struct {
		class   scope.Class
		domain  string
		inbound []scope.Inbound
		want    int
	}{
		"TCP":                     {inbound: []scope.Inbound{openedToEast("db", 1, inventory.ProtocolTCP, 3)}, want: 3},
		"HTTP":                    {inbound: []scope.Inbound{openedToEast("db", 1, inventory.ProtocolHTTP, 3)}, want: 1},
		"HTTP without accounts":   {inbound: []scope.Inbound{openedToEast("db", 1, inventory.ProtocolHTTP, 0)}, want: 1},
		"TCP without accounts":    {inbound: []scope.Inbound{openedToEast("db", 1, inventory.ProtocolTCP, 0)}},
		"many accounts":           {inbound: []scope.Inbound{openedToEast("db", 1, inventory.ProtocolTCP, 100), openedToEast("db", 2, inventory.ProtocolHTTP, 1)}, want: 64},
		"Open Service Mesh":       {class: scope.Class{OSM: true}, inbound: []scope.Inbound{openedToEast("db", 1, inventory.ProtocolHTTP, 3)}},
		"a longest server name":   {domain: strings.Repeat("b", 131) + ".example", inbound: []scope.Inbound{openedToEast(long, 1, inventory.ProtocolHTTP, 1)}, want: 1},
		"a server name too long":  {domain: strings.Repeat("b", 160) + ".example", inbound: []scope.Inbound{openedToEast(long, 1, inventory.ProtocolHTTP, 1)}},
		"roots that are not read": {domain: "-", inbound: []scope.Inbound{openedToEast("db", 1, inventory.ProtocolHTTP, 1)}},
	} {
		s := serverOfPeers(test.class, test.inbound...)
		switch test.domain {
		case "":
		case "-":
			s.Peers[0].RootsPEM = nil
		default:
			s.Peers[0].TrustDomain = test.domain
		}
		if got := chainsOfPeers(envoy.Build(s)); len(got) != test.want {
			t.Errorf("%s: %d chains of peers, want %d: %q", name, len(got), test.want, got)
		}
	}
}

// chainsOfPeers are the names of the filter chains that trust a peer.
func chainsOfPeers(resources []envoy.Resource) []string {
	var chains []string
	for _, r := range resources {
		if l, isListener := r.Message.(*listenerv3.Listener); isListener && l.GetName() == envoy.InboundListener {
			for _, chain := range l.GetFilterChains() {
				if strings.Contains(string(chain.GetTransportSocket().GetTypedConfig().GetValue()), "root-cert-of-peer:") {
					chains = append(chains, chain.GetName())
				}
			}
		}
	}
	return chains
}

// TestPrincipalsOfPeers compares the principals of permissions with those that the rules name: the control plane drains the chain of a principal that is lost.
func TestPrincipalsOfPeers(t *testing.T) {
	got := map[string][]string{}
	for _, r := range envoy.Build(serverOfPeers(scope.Class{}, openedToEast("db", 1, inventory.ProtocolTCP, 2))) {
		if principals, ok := envoy.NetworkPrincipals(r); ok {
			got[r.Name] = principals
		}
	}
	want := map[string][]string{
		"l4_rbac|inbound_shop/db_1_tcp":                              nil,
		"l4_rbac|inbound_of_peer_east/shop/client-000_shop/db_1_tcp": {"client-000.shop.east.example"},
		"l4_rbac|inbound_of_peer_east/shop/client-001_shop/db_1_tcp": {"client-001.shop.east.example"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("principals (-want +got):\n%s", diff)
	}
}

// TestSecretsOfPeers looks for the roots of peers in the secrets of proxies. A gateway has no secrets at all.
func TestSecretsOfPeers(t *testing.T) {
	s := serverOfPeers(scope.Class{}, openedToEast("db", 1, inventory.ProtocolTCP, 2))
	s.Peers = append(s.Peers, scope.Peer{Name: "west", TrustDomain: "west.example"})
	var secrets []string
	for _, r := range envoy.TrustSecrets(s, []byte("root")) {
		if strings.Contains(r.Name, "peer") {
			secrets = append(secrets, r.Name)
		}
	}
	if diff := cmp.Diff([]string{"root-cert-of-peer:east"}, secrets); diff != "" {
		t.Errorf("secrets of peers (-want +got):\n%s", diff)
	}
	s.Key.Proxy, s.Inbound, s.PeerGateway = scope.ProxyPeerGateway, nil, &scope.PeerGateway{}
	if secrets := envoy.TrustSecrets(s, []byte("root")); len(secrets) > 0 {
		t.Errorf("a gateway has %d secrets", len(secrets))
	}
}
