package scope_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/extauthz"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/ingressbackend"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/retry"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/telemetry"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// tenant is the namespace in which somebody edits policies.
const tenant = "b"

// TestTenantChangesOwnDestinationsOnly edits policies of one namespace at random. In the sidecars of other namespaces only the destinations in
// the edited namespace may change, and those that ReferenceGrants let its routes use: not what they accept, not how they retry, and no other destination.
func TestTenantChangesOwnDestinationsOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := meshtest.Apply(twoTenants()...)
		for _, change := range rapid.SliceOfN(meshtest.Change(), 0, 20).Draw(t, "mesh") {
			c.Apply([]catalog.Change{withOwnAddress(change)})
		}
		key := scope.Key{Identity: meshtest.SA("a", "one"), Services: "a/one,a/three,a/two"}
		before := withoutTenant(c.View(), scope.Build(c.View(), trustDomain, key))
		edits := slices.DeleteFunc(rapid.SliceOfN(meshtest.Change(), 1, 40).Draw(t, "edits"), func(change catalog.Change) bool { return !isPolicyOfTenant(change) })
		c.Apply(edits)
		after := withoutTenant(c.View(), scope.Build(c.View(), trustDomain, key))
		plain := cmp.Options{cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{}, netip.Prefix{}), cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(scope.HTTPRoute{})}
		if diff := cmp.Diff(before, after, plain); diff != "" {
			t.Fatalf("edits in %s change a sidecar of another namespace (-before +after):\n%s\nedits: %+v", tenant, diff, edits)
		}
	})
}

// twoTenants returns two namespaces with three workloads each, which allow nothing yet.
func twoTenants() []catalog.Entry {
	entries := []catalog.Entry{&catalog.Settings{RetryPolicies: true, IngressBackends: true, EgressPolicies: true}}
	for i, namespace := range []string{"a", tenant} {
		entries = append(entries, &catalog.Namespace{Name: namespace, Monitored: true})
		for j, name := range []string{"one", "two", "three"} {
			pod := meshtest.Pod(namespace, name, name, name, fmt.Sprintf("10.1.%d.%d", i, j))
			service := meshtest.Service(namespace, name, name, fmt.Sprintf("10.98.%d.%d", i, j), 80, inventory.ProtocolHTTP)
			entries = append(entries, pod, service, meshtest.Slice(service.Name, pod), meshtest.Group(namespace, name, "/x"))
		}
	}
	return entries
}

// withOwnAddress gives each Service with a cluster IP its own, as the API server does.
func withOwnAddress(change catalog.Change) catalog.Change {
	service, ok := change.Entry.(*inventory.Service)
	if !ok || service.Headless() {
		return change
	}
	own := *service
	own.ClusterIPs = []netip.Addr{netip.AddrFrom4([4]byte{10, 97, own.Name.Namespace[0], own.Name.Name[1]})}
	return catalog.Set(&own)
}

// isPolicyOfTenant reports whether an edit is one that admission allows somebody who may edit policies in the namespace.
func isPolicyOfTenant(change catalog.Change) bool {
	if change.Ref.Name.Namespace != tenant {
		return false
	}
	switch e := change.Entry.(type) {
	case nil:
		return slices.Contains([]entity.Kind{
			entity.KindTrafficTarget, entity.KindHTTPRouteGroup, entity.KindTCPRoute, entity.KindTrafficSplit, retry.Kind,
			upstream.Kind, ingressbackend.Kind, entity.KindEgress, telemetry.Kind, entity.KindExtensionService,
			extauthz.Kind,
		}, change.Ref.Kind) || slices.Contains(entity.RouteKinds(), change.Ref.Kind)
	case *catalog.TrafficTarget:
		return e.Destination.Namespace == tenant
	case *catalog.HTTPRouteGroup, *catalog.TCPRoute, *catalog.TrafficSplit, *telemetry.Policy, *catalog.ExtensionService, *extauthz.Policy, *catalog.HTTPRoute:
		return true
	case *retry.Policy:
		return e.Source.Namespace == tenant
	case *upstream.Policy:
		return e.Service == (entity.Name{}) || e.Service.Namespace == tenant
	case *catalog.Egress:
		return true // its sources are of its namespace
	case *ingressbackend.Policy:
		return !slices.ContainsFunc(e.Backends, func(b ingressbackend.Port) bool { return b.Service.Namespace != tenant })
	}
	return false
}

// withoutTenant returns a scope without the destinations in the namespace, and without those that its routes may use.
func withoutTenant(v *catalog.View, s *scope.Scope) *scope.Scope {
	rest := *s
	rest.Outbound = slices.DeleteFunc(slices.Clone(s.Outbound), func(o scope.Outbound) bool { return o.Service.Namespace == tenant })
	rest.Clusters = slices.DeleteFunc(slices.Clone(s.Clusters), func(c scope.Cluster) bool { return mayUse(v, c.Service) })
	return &rest
}

// mayUse reports whether routes of the tenant may use a Service: its own, or one with a ReferenceGrant for any kind of route.
func mayUse(v *catalog.View, service entity.Name) bool {
	return service.Namespace == tenant || slices.ContainsFunc(entity.RouteKinds(), func(kind entity.Kind) bool {
		return v.GrantsBackend(entity.Ref{Kind: kind, Name: meshtest.Name(tenant, "any")}, service)
	})
}

// TestTenantSendsToGrantedServicesOnly checks where the sidecars of another namespace send what they receive for Services of the tenant: to Services of the
// tenant, and to those with a ReferenceGrant for its routes. Neither a further parent of a route nor any other policy is sufficient.
func TestTenantSendsToGrantedServicesOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := meshtest.Apply(append(twoTenants(), &catalog.Settings{Permissive: true})...)
		if rapid.Bool().Draw(t, "ports without HTTP") {
			routeConnections(c)
		}
		for _, change := range rapid.SliceOfN(meshtest.Change(), 0, 40).Draw(t, "policies") {
			if isPolicyOfTenant(change) || change.Ref.Kind == entity.KindReferenceGrant {
				c.Apply([]catalog.Change{change})
			}
		}
		for _, route := range rapid.SliceOfN(meshtest.RouteIn(tenant), 1, 4).Draw(t, "routes") {
			c.Apply([]catalog.Change{catalog.Set(route)})
		}
		v := c.View()
		for _, onDemand := range []bool{false, true} {
			key := scope.Key{Identity: meshtest.SA("a", "one"), Services: "a/one,a/three,a/two", Class: scope.Class{OnDemand: onDemand}}
			checkDestinations(t, v, scope.Build(v, trustDomain, key))
		}
	})
}

// routeConnections changes the ports of all Services so that TLSRoutes and TCPRoutes apply to them.
func routeConnections(c *catalog.Catalog) {
	for _, entry := range twoTenants() {
		if service, ok := entry.(*inventory.Service); ok {
			service.Ports[0].Protocol, service.Ports[0].TLS = inventory.ProtocolTCP, true
			c.Apply([]catalog.Change{catalog.Set(service)})
		}
	}
}

func checkDestinations(t *rapid.T, v *catalog.View, s *scope.Scope) {
	services := map[string]entity.Name{}
	for i := range s.Clusters {
		services[s.Clusters[i].Name()] = s.Clusters[i].Service
	}
	for i := range s.Outbound {
		out := &s.Outbound[i]
		if out.Service.Namespace != tenant {
			continue
		}
		for _, cluster := range destinationsOf(out) {
			if service := services[cluster]; cluster != "" && !mayUse(v, service) {
				t.Fatalf("requests to %s:%d go to %s (%s), which no ReferenceGrant permits", out.Service, out.Port, service, cluster)
			}
		}
	}
}

// destinationsOf returns the clusters of all routes of a destination.
func destinationsOf(out *scope.Outbound) []string {
	var clusters []string
	add := func(backends []scope.Backend) {
		for _, backend := range backends {
			clusters = append(clusters, backend.Cluster)
		}
	}
	add(out.Backends)
	for _, route := range out.Routes {
		add(route.Backends)
	}
	for i := range out.HTTPRoutes {
		add(out.HTTPRoutes[i].Backends)
		for _, mirror := range out.HTTPRoutes[i].Mirrors {
			clusters = append(clusters, mirror.Cluster)
		}
	}
	for _, route := range out.ConnectionRoutes {
		add(route.Backends)
	}
	return clusters
}
