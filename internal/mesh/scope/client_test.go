package scope_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// web is a mesh with pods of two service accounts behind the Services web and second, which select the same pods and
// port.
func web(more ...catalog.Entry) *catalog.Catalog {
	one, two := Pod("shop", "web-1", "web", "one", "10.0.0.1"), Pod("shop", "web-2", "web", "two", "10.0.0.2")
	service, second := Service("shop", "web", "web", "10.96.0.1", 80, inventory.ProtocolHTTP), Service("shop", "second", "web", "10.96.0.2", 80, inventory.ProtocolHTTP)
	return Apply(append([]catalog.Entry{
		&catalog.Namespace{Name: "shop", Monitored: true}, one, two, service, second,
		Slice(service.Name, one, two), Slice(second.Name, one, two), Group("shop", "all", "/.*"),
	}, more...)...)
}

func target(name, destination, source string) *catalog.TrafficTarget {
	return Target(name, SA("shop", destination), []catalog.TargetRule{HTTP("all")}, SA("shop", source))
}

// TestClientWithoutService checks that a client without a Service has destinations but no inbound ports.
func TestClientWithoutService(t *testing.T) {
	c := web(target("t", "one", "job"))
	s := scope.Build(c.View(), trustDomain, scope.KeyFor(c.View(), Pod("shop", "job", "job", "job", "10.0.0.9")))
	if len(s.Inbound) > 0 || s.Key.Services != "" {
		t.Errorf("a client without a Service has the inbound ports %+v", s.Inbound)
	}
	if diff := cmp.Diff(map[string]string{"shop/web:80": "shop/web|80=100", "shop/second:80": "shop/second|80=100"}, outbound(s)); diff != "" {
		t.Errorf("outbound (-want +got):\n%s", diff)
	}
}

// TestPodCallingOwnServiceNeedsPolicy checks that a pod needs the same permission as other clients to call its own
// Service.
func TestPodCallingOwnServiceNeedsPolicy(t *testing.T) {
	for _, test := range []struct {
		name    string
		targets []catalog.Entry
		want    map[string]string
	}{
		{"without a policy", nil, map[string]string{}},
		{"with one", []catalog.Entry{target("t", "one", "one")}, map[string]string{"shop/web:80": "shop/web|80=100", "shop/second:80": "shop/second|80=100"}},
	} {
		c := web(test.targets...)
		s := scope.Build(c.View(), trustDomain, scope.KeyFor(c.View(), c.View().Pod(Name("shop", "web-1"))))
		if diff := cmp.Diff(test.want, outbound(s)); diff != "" {
			t.Errorf("%s: outbound (-want +got):\n%s", test.name, diff)
		}
		if len(s.Inbound) != 2 {
			t.Errorf("%s: %d inbound ports, want one per Service", test.name, len(s.Inbound))
		}
	}
}

// TestThreat40TwoAccountsBehindAService checks that a client expects the identities behind a Service that it may call,
// and uses their endpoints only.
func TestThreat40TwoAccountsBehindAService(t *testing.T) {
	for _, test := range []struct {
		name       string
		targets    []catalog.Entry
		want       []identity.ServiceAccount
		identities string
	}{
		{"both", []catalog.Entry{target("a", "one", "c"), target("b", "two", "c")}, []identity.ServiceAccount{SA("shop", "one"), SA("shop", "two")}, ""},
		{"one of them", []catalog.Entry{target("b", "two", "c")}, []identity.ServiceAccount{SA("shop", "two")}, "shop/two"},
	} {
		clusters := scope.Build(web(test.targets...).View(), trustDomain, scope.Key{Identity: SA("shop", "c")}).Clusters
		if len(clusters) != 2 {
			t.Fatalf("%s: %d clusters, want one for each of the two Services with the same selector and port", test.name, len(clusters))
		}
		for _, cluster := range clusters {
			if diff := cmp.Diff(test.want, cluster.Identities); diff != "" || cluster.Endpoints.Identities != test.identities {
				t.Errorf("%s: %s expects %v at %q, want %v at %q", test.name, cluster.Name(), cluster.Identities, cluster.Endpoints.Identities, test.want, test.identities)
			}
		}
	}
}

// TestDeniedBackendExpectsItsServers checks that a split sends a share to a backend that the client may not call, whose servers deny it: the
// client must accept their identities to get that answer.
func TestDeniedBackendExpectsItsServers(t *testing.T) {
	c := Apply(append(permissiveMesh(), &catalog.Settings{}, Group("shop", "all", "/.*"), splitTo("s", "root", 0, "v1", "v2"), target("t", "v1", "client"))...)
	got := map[string][]identity.ServiceAccount{}
	for _, cluster := range scope.Build(c.View(), trustDomain, scope.Key{Identity: SA("shop", "client")}).Clusters {
		got[cluster.Service.Name] = cluster.Identities
	}
	if diff := cmp.Diff(map[string][]identity.ServiceAccount{"v1": {SA("shop", "v1")}, "v2": {SA("shop", "v2")}}, got); diff != "" {
		t.Errorf("expected identities (-want +got):\n%s", diff)
	}
}
