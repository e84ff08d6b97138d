package scope_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestSharedDestinationsEqualOwn checks that a client with shared destinations has the same scope as with its own, and
// that there are none if no client may use them.
func TestSharedDestinationsEqualOwn(t *testing.T) {
	shared, alone := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		c := catalog.New()
		c.Apply(rapid.SliceOfN(Change(), 20, 60).Draw(t, "mesh"))
		for _, name := range []string{"one", "two", "three"} {
			key := scope.Key{Identity: SA("a", name)}
			if !scope.UsesSharedDestinations(c.View(), key.Identity) {
				alone++
				continue
			}
			shared++
			shared := scope.SharedDestinations(c.View())
			if shared == nil {
				t.Fatal("a client shares destinations that do not exist")
			}
			want, got := scope.Build(c.View(), trustDomain, key), scope.BuildWithShared(c.View(), identity.OneTrustDomain(trustDomain), key, shared)
			if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Prefix{}, netip.Addr{}, netip.AddrPort{}), cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("the scope of %s differs (-alone +shared):\n%s", key.Identity, diff)
			}
		}
	})
	if shared == 0 || alone == 0 {
		t.Errorf("%d clients shared and %d did not: both must have been tried", shared, alone)
	}
}

// TestPermissiveNamespaceLimitsDependencies checks that in a strict mesh with one permissive namespace a new Service
// elsewhere does not affect clients.
func TestPermissiveNamespaceLimitsDependencies(t *testing.T) {
	yes := true
	open := Pod("open", "x", "x", "x", "10.0.0.2")
	c := Apply(&catalog.Namespace{Name: "open", Monitored: true, Permissive: &yes}, &catalog.Namespace{Name: "shop", Monitored: true},
		open, Service("open", "x", "x", "10.96.0.2", 80, inventory.ProtocolHTTP))
	v := c.View()
	s := scope.Build(v, trustDomain, scope.Key{Identity: SA("shop", "client")})
	if diff := cmp.Diff(map[string]string{"open/x:80": "open/x|80=100"}, outbound(s)); diff != "" {
		t.Fatalf("outbound (-want +got):\n%s", diff)
	}
	read := map[entity.Dep]bool{}
	for _, dep := range v.Deps() {
		read[dep] = true
	}
	for _, test := range []struct {
		namespace string
		want      bool
	}{{"shop", false}, {"open", true}} {
		hit := false
		for _, dep := range c.Apply([]catalog.Change{catalog.Set(Service(test.namespace, "new", "new", "10.96.0.9", 80, inventory.ProtocolHTTP))}) {
			hit = hit || read[dep]
		}
		if hit != test.want {
			t.Errorf("a new Service in namespace %s affects the client: %t, want %t", test.namespace, hit, test.want)
		}
	}
}

// TestStrictServicesWithRoutesToPermissiveNamespaces checks that clients have a Service of a strict namespace whose route has a backend in a permissive one,
// which every client may call. A route of another namespace applies only to its own clients.
func TestStrictServicesWithRoutesToPermissiveNamespaces(t *testing.T) {
	yes := true
	open, web := Pod("open", "x", "x", "x", "10.0.0.2"), Pod("shop", "web", "web", "web", "10.0.0.3")
	for _, test := range []struct {
		kind      entity.Kind
		protocol  inventory.Protocol
		namespace string
		want      map[string]bool
	}{
		{entity.KindHTTPRoute, inventory.ProtocolHTTP, "shop", map[string]bool{"shop": true, "other": true}},
		{entity.KindGatewayTCPRoute, inventory.ProtocolTCP, "shop", map[string]bool{"shop": true, "other": true}},
		{entity.KindHTTPRoute, inventory.ProtocolHTTP, "other", map[string]bool{"shop": false, "other": true}},
	} {
		route := &catalog.HTTPRoute{
			Kind: test.kind, Name: Name(test.namespace, "r"), Parents: []catalog.RouteParent{{Service: Name("shop", "web")}},
			Rules: []catalog.HTTPRouteRule{{
				Matches: []catalog.RouteMatch{{PathType: catalog.PathPrefix, Path: "/"}}, Backends: []catalog.RouteBackend{{Service: Name("open", "x"), Port: 80, Weight: 1}},
			}},
		}
		grant := &catalog.ReferenceGrant{Name: Name("open", "g"), To: []catalog.GrantedObject{{Kind: "Service"}}, From: []catalog.GrantedReferrer{
			{Group: "gateway.networking.k8s.io", Kind: test.kind.APIName(), Namespace: test.namespace},
		}}
		v := Apply(
			&catalog.Namespace{Name: "open", Monitored: true, Permissive: &yes}, &catalog.Namespace{Name: "shop", Monitored: true}, &catalog.Namespace{Name: "other", Monitored: true},
			open, Service("open", "x", "x", "10.96.0.2", 80, test.protocol), Slice(Name("open", "x"), open),
			web, Service("shop", "web", "web", "10.96.0.3", 80, test.protocol), Slice(Name("shop", "web"), web), route, grant,
		).View()
		for namespace, want := range test.want {
			client := SA(namespace, "client")
			_, has := outbound(scope.Build(v, trustDomain, scope.Key{Identity: client}))["shop/web:80"]
			allowed := authz.Decide(v, authz.Request{Source: client, Service: Name("shop", "web"), Port: 80, Method: "GET", Path: "/"}).Always(authz.Allowed)
			if has != want || allowed != want {
				t.Errorf("%s of %s: the sidecar of %s has the Service: %t, and the request is allowed: %t, want %t", test.kind, test.namespace, client, has, allowed, want)
			}
		}
	}
}

// TestRoutesOfMissingServices checks that a route for a Service that does not exist adds no destination.
func TestRoutesOfMissingServices(t *testing.T) {
	yes := true
	open := Pod("open", "x", "x", "x", "10.0.0.2")
	route := &catalog.HTTPRoute{
		Kind: entity.KindHTTPRoute, Name: Name("shop", "r"), Parents: []catalog.RouteParent{{Service: Name("shop", "gone")}},
		Rules: []catalog.HTTPRouteRule{{
			Matches: []catalog.RouteMatch{{PathType: catalog.PathPrefix, Path: "/"}}, Backends: []catalog.RouteBackend{{Service: Name("open", "x"), Port: 80, Weight: 1}},
		}},
	}
	v := Apply(&catalog.Namespace{Name: "open", Monitored: true, Permissive: &yes}, &catalog.Namespace{Name: "shop", Monitored: true}, open,
		Service("open", "x", "x", "10.96.0.2", 80, inventory.ProtocolHTTP), Slice(Name("open", "x"), open), route, &catalog.ReferenceGrant{
			Name: Name("open", "g"), To: []catalog.GrantedObject{{Kind: "Service"}},
			From: []catalog.GrantedReferrer{{Group: "gateway.networking.k8s.io", Kind: "HTTPRoute", Namespace: "shop"}},
		}).View()
	key := scope.Key{Identity: SA("shop", "client")}
	for _, s := range []*scope.Scope{scope.Build(v, trustDomain, key), scope.BuildFromParts(v, identity.OneTrustDomain(trustDomain), key, map[entity.Name]*scope.Part{})} {
		if diff := cmp.Diff(map[string]string{"open/x:80": "open/x|80=100"}, outbound(s)); diff != "" {
			t.Errorf("outbound (-want +got):\n%s", diff)
		}
	}
}

// TestSharedDestinationsAddNoDependencies checks that a client with shared destinations is not rebuilt when they change.
func TestSharedDestinationsAddNoDependencies(t *testing.T) {
	c := Apply(permissiveMesh()...)
	v := c.View()
	s := scope.BuildWithShared(v, identity.OneTrustDomain(trustDomain), scope.Key{Identity: SA("shop", "client")}, scope.SharedDestinations(c.View()))
	if len(s.Outbound) == 0 {
		t.Fatal("the client has no destination")
	}
	for _, name := range []string{"v1", "new"} {
		if affects(c, v, Service("shop", name, name, "10.96.0.9", 80, inventory.ProtocolHTTP)) {
			t.Errorf("a change of the Service %s affects the client", name)
		}
	}
}

// TestPermissiveMeshIgnoresTrafficTargets checks that a TrafficTarget affects no client of a mesh that is permissive everywhere.
func TestPermissiveMeshIgnoresTrafficTargets(t *testing.T) {
	c := Apply(permissiveMesh()...)
	v := c.View()
	if !scope.UsesSharedDestinations(v, SA("shop", "client")) {
		t.Fatal("the client does not use the shared destinations")
	}
	if affects(c, v, target("t", "v1", "client")) {
		t.Error("a TrafficTarget affects the client")
	}
}

// affects reports whether a new version of an entry affects what was read from a view.
func affects(c *catalog.Catalog, v *catalog.View, entry catalog.Entry) bool {
	affected := c.Apply([]catalog.Change{catalog.Set(entry)})
	return slices.ContainsFunc(v.Deps(), func(dep entity.Dep) bool { return slices.Contains(affected, dep) })
}

// TestDestinationsAreSorted checks the order of destinations that policies allow and of those in permissive namespaces.
func TestDestinationsAreSorted(t *testing.T) {
	yes := true
	entries := []catalog.Entry{
		&catalog.Namespace{Name: "a", Monitored: true, Permissive: &yes}, &catalog.Namespace{Name: "shop", Monitored: true},
		&catalog.Namespace{Name: "z", Monitored: true, Permissive: &yes}, Group("shop", "all", "/.*"), target("t", "web", "client"),
	}
	for i, namespace := range []string{"z", "shop", "a"} {
		pod := Pod(namespace, "web", "web", "web", fmt.Sprintf("10.0.0.%d", i))
		entries = append(entries, pod, Service(namespace, "web", "web", fmt.Sprintf("10.96.0.%d", i), 80, inventory.ProtocolHTTP))
	}
	var got []string
	for _, out := range scope.Build(Apply(entries...).View(), trustDomain, scope.Key{Identity: SA("shop", "client")}).Outbound {
		got = append(got, out.Service.String())
	}
	if diff := cmp.Diff([]string{"a/web", "shop/web", "z/web"}, got); diff != "" {
		t.Errorf("destinations (-want +got):\n%s", diff)
	}
}
