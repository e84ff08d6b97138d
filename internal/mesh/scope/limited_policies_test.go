package scope_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/ingressbackend"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestIncompletePoliciesAreListed checks that a scope lists exactly the policies of which routes are left out.
func TestIncompletePoliciesAreListed(t *testing.T) {
	server := Pod("a", "server", "server", "server", "10.0.0.1")
	service := serviceOfMany("a", "server", "172.0.0.1")
	client := SA("a", "client")
	ingress := &ingressbackend.Policy{Name: Name("a", "ingress"), RouteGroups: []string{"routes"}}
	for _, port := range service.Ports {
		ingress.Backends = append(ingress.Backends, ingressbackend.Port{Service: service.Name, TargetPort: port.TargetPort})
	}
	egress := egressOfMany("outside")
	gateway := egressOfMany("forwarded")
	gateway.Gateway, gateway.Sources = &catalog.EgressGateway{}, []identity.ServiceAccount{SA("a", "other")}
	split := &catalog.TrafficSplit{Name: Name("a", "split"), Root: service.Name, Backends: []catalog.SplitBackend{{Service: service.Name, Weight: 1}}, Matches: []string{"routes"}}
	entries := []catalog.Entry{
		&catalog.Settings{EgressPolicies: true, IngressBackends: true}, &catalog.Namespace{Name: "a", Monitored: true},
		server, service, Slice(service.Name, server), groupOfMany("a", "routes"), Group("a", "one", "/x"), ingress, egress, gateway, split,
		Target("t", server.Identity(), []catalog.TargetRule{HTTP("routes")}, client),
		Target("few", SA("a", "nobody"), []catalog.TargetRule{HTTP("one")}, client),
		&catalog.Egress{Name: Name("a", "few"), Sources: []identity.ServiceAccount{SA("a", "nobody")}, Hosts: []string{"x"}, Ports: egress.Ports[:1]},
	}
	c := Apply(entries...)
	for name, test := range map[string]struct {
		key  scope.Key
		want string
	}{
		"server":         {scope.Key{Identity: server.Identity(), Services: "a/server"}, "[{IngressBackend a/ingress} {TrafficTarget a/t}]"},
		"client":         {scope.Key{Identity: client}, "[{Egress a/outside} {TrafficSplit a/split}]"},
		"egress gateway": {scope.Key{Proxy: scope.ProxyEgressGateway}, "[{Egress a/forwarded}]"},
		"small":          {scope.Key{Identity: SA("a", "nobody")}, "[]"},
	} {
		if got := fmt.Sprint(scope.Build(c.View(), trustDomain, test.key).Limited); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
	permissive := scope.SharedDestinations(Apply(append(entries, &catalog.Settings{Permissive: true})...).View())
	if !slices.Equal(permissive.Limited, []entity.Ref{split.Ref()}) {
		t.Errorf("shared destinations: %v", permissive.Limited)
	}
}

// egressOfMany returns an Egress of the client with more routes than a sidecar can have.
func egressOfMany(name string) *catalog.Egress {
	e := &catalog.Egress{
		Name: Name("a", name), Sources: []identity.ServiceAccount{SA("a", "client")}, Ports: []catalog.EgressPort{{Number: 80, Protocol: inventory.ProtocolHTTP}},
		Restricted: true, RouteGroups: []string{"routes"},
	}
	for i := range authz.MaxRoutes/manyMatches + 1 {
		e.Hosts = append(e.Hosts, fmt.Sprintf("h%d.example.com", i))
	}
	return e
}
