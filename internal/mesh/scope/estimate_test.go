package scope_test

import (
	"fmt"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/ingressbackend"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestEstimateGrowsWithEachPart checks that inbound ports, ingress, destinations and egress count in the estimate of the size of a scope.
func TestEstimateGrowsWithEachPart(t *testing.T) {
	pod := Pod("a", "server", "server", "server", "10.0.0.1")
	service := serviceOfMany("a", "server", "172.0.0.1")
	service.Ports = service.Ports[:10]
	ingress := &ingressbackend.Policy{Name: Name("a", "ingress"), RouteGroups: []string{"routes"}}
	egress := &catalog.Egress{
		Name: Name("a", "outside"), Sources: []identity.ServiceAccount{pod.Identity()}, Restricted: true, RouteGroups: []string{"routes"},
		Ports: []catalog.EgressPort{{Number: 80, Protocol: inventory.ProtocolHTTP}},
	}
	for i, port := range service.Ports {
		ingress.Backends = append(ingress.Backends, ingressbackend.Port{Service: service.Name, TargetPort: port.TargetPort})
		egress.Hosts = append(egress.Hosts, fmt.Sprintf("h%d.example.com", i))
	}
	entries := []catalog.Entry{
		&catalog.Settings{EgressPolicies: true, IngressBackends: true}, &catalog.Namespace{Name: "a", Monitored: true}, pod, service, groupOfMany("a", "routes"),
	}
	size := func(entries ...catalog.Entry) int {
		return scope.Build(Apply(entries...).View(), trustDomain, scope.Key{Identity: pod.Identity(), Services: "a/server"}).EstimatedBytes()
	}
	before := size(entries...)
	for _, part := range []struct {
		name  string
		entry catalog.Entry
	}{
		{"inbound ports", Target("in", pod.Identity(), []catalog.TargetRule{HTTP("routes")}, SA("a", "client"))},
		{"ingress", ingress},
		{"egress", egress},
		{"destinations", Target("out", pod.Identity(), []catalog.TargetRule{HTTP("routes")}, pod.Identity())},
		{"a split", &catalog.TrafficSplit{Name: Name("a", "split"), Root: service.Name, Backends: []catalog.SplitBackend{{Service: service.Name, Weight: 1}}, Matches: []string{"routes"}}},
	} {
		entries = append(entries, part.entry)
		after := size(entries...)
		if least := 10 * 1000 * 256; part.name != "destinations" && after-before < least {
			t.Errorf("%s: the estimate is %d after %d bytes, want at least %d more", part.name, after, before, least)
		}
		before = after
	}
}

// TestDenyAllHasNoTraffic checks that a scope which denies all requests has nothing left but its identity, and names its policies.
func TestDenyAllHasNoTraffic(t *testing.T) {
	pod := Pod("a", "server", "server", "server", "10.0.0.1")
	service := serviceOfMany("a", "server", "172.0.0.1")
	c := Apply(&catalog.Namespace{Name: "a", Monitored: true}, pod, service, Slice(service.Name, pod), Group("a", "routes", "/"),
		Target("t", pod.Identity(), []catalog.TargetRule{HTTP("routes")}, pod.Identity()))
	s := scope.Build(c.View(), trustDomain, scope.Key{Identity: pod.Identity(), Services: "a/server"})
	denied := s.DenyAll()
	if len(denied.Inbound)+len(denied.Outbound)+len(denied.Clusters) > 0 || denied.DeniedPorts != manyPorts || denied.Key != s.Key || denied.EstimatedBytes() != 0 {
		t.Errorf("it has %+v", denied)
	}
	if got := fmt.Sprint(denied.Limited); got != "[{TrafficTarget a/t}]" || len(s.Limited) > 0 || len(s.Inbound) != manyPorts {
		t.Errorf("limited are %s, and the scope itself has %v", got, s.Limited)
	}
}
