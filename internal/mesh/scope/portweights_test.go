package scope

import (
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// Each list of clients counts once for all routes that share it, and each port has the weight of its own rules.
func TestWeightsOfPortsFollowTheirRules(t *testing.T) {
	clients := func(names ...string) (list []identity.ServiceAccount) {
		for _, name := range names {
			list = append(list, identity.ServiceAccount{Namespace: "shop", Name: name})
		}
		return list
	}
	buyers := clients("one", "two")
	port := func(lists ...[]identity.ServiceAccount) *Inbound {
		in := &Inbound{Protocol: inventory.ProtocolHTTP}
		for _, sources := range lists {
			in.Rules.Routes = append(in.Rules.Routes, authz.Route{Sources: sources})
		}
		return in
	}
	weights := portWeights{}
	for _, test := range []struct {
		name string
		port *Inbound
		want int
	}{
		{"no routes", port(), 0},
		{"a route", port(buyers), 1 + 2},
		{"two routes that share their clients", port(buyers, buyers), 2 + 2},
		{"two routes with lists of their own", port(buyers, clients("three")), 2 + 2 + 1},
	} {
		for _, when := range []string{"computed", "known"} {
			if got := weights.of(test.port).rules; got != test.want {
				t.Errorf("%s, %s: %d, want %d", test.name, when, got, test.want)
			}
		}
	}
}
