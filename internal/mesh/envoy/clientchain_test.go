package envoy_test

import (
	"fmt"
	"strings"
	"testing"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// TestClientChainsAreBounded counts the filter chains of single clients. A chain admits its own account, and names that a protocol cannot have get none.
func TestClientChainsAreBounded(t *testing.T) {
	port := func(number uint16, protocol inventory.Protocol, clients int, permissive bool, names ...string) scope.Inbound {
		for i := range clients {
			names = append(names, fmt.Sprintf("client-%03d", i))
		}
		var sources []identity.ServiceAccount
		for _, name := range names {
			sources = append(sources, identity.ServiceAccount{Namespace: "shop", Name: name})
		}
		rules := authz.Rules{Permissive: permissive}
		if !permissive {
			rules.Network = []authz.NetworkRule{{Policy: "shop/a", Sources: sources}, {Policy: "shop/b", Sources: sources}}
		}
		return scope.Inbound{Service: entity.Name{Namespace: "shop", Name: "db"}, Port: number, TargetPort: number, Protocol: protocol, Rules: rules}
	}
	for name, test := range map[string]struct {
		inbound []scope.Inbound
		want    int
	}{
		"each client once":       {[]scope.Inbound{port(1, inventory.ProtocolTCP, 3, false)}, 3},
		"server first":           {[]scope.Inbound{port(1, inventory.ProtocolTCPServerFirst, 3, false)}, 3},
		"HTTP":                   {[]scope.Inbound{port(1, inventory.ProtocolHTTP, 3, false)}, 0},
		"permissive":             {[]scope.Inbound{port(1, inventory.ProtocolTCP, 3, true)}, 0},
		"many clients of a port": {[]scope.Inbound{port(1, inventory.ProtocolTCP, 100, false)}, scope.MaxClientChains},
		"long names":             {[]scope.Inbound{port(1, inventory.ProtocolTCP, 0, false, strings.Repeat("a", 180), strings.Repeat("b", 181))}, 1},
		"many ports": {[]scope.Inbound{
			port(1, inventory.ProtocolTCP, 60, false), port(2, inventory.ProtocolTCP, 60, false), port(3, inventory.ProtocolTCP, 60, false),
			port(4, inventory.ProtocolTCP, 60, false), port(5, inventory.ProtocolTCP, 60, false), port(6, inventory.ProtocolTCP, 10, false),
		}, 250},
	} {
		s := &scope.Scope{
			Common:  scope.Common{Key: scope.Key{Identity: identity.ServiceAccount{Namespace: "shop", Name: "db"}}, TrustDomain: "cluster.local"},
			Sidecar: scope.Sidecar{Inbound: test.inbound},
		}
		if got := countClientChains(envoy.Build(s)); got != test.want {
			t.Errorf("%s: %d chains of clients, want %d", name, got, test.want)
		}
	}
}

func countClientChains(resources []envoy.Resource) int {
	count := 0
	for _, r := range resources {
		if l, isListener := r.Message.(*listenerv3.Listener); isListener && l.GetName() == envoy.InboundListener {
			for _, chain := range l.GetFilterChains() {
				if strings.HasPrefix(chain.GetFilterChainMatch().GetApplicationProtocols()[0], "osm/") {
					count++
				}
			}
		}
	}
	return count
}
