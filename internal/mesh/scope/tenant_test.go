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
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// tenant is the namespace in which somebody edits policies.
const tenant = "b"

// TestTenantChangesOwnDestinationsOnly edits policies of one namespace at random. In the sidecars of other namespaces only the destinations in
// the edited namespace may change: not what they accept, not how they retry, and no other destination.
func TestTenantChangesOwnDestinationsOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := meshtest.Apply(twoTenants()...)
		for _, change := range rapid.SliceOfN(meshtest.Change(), 0, 20).Draw(t, "mesh") {
			c.Apply([]catalog.Change{withOwnAddress(change)})
		}
		key := scope.Key{Identity: meshtest.SA("a", "one"), Services: "a/one,a/three,a/two"}
		before := withoutTenant(scope.Build(c.View(), trustDomain, key))
		edits := slices.DeleteFunc(rapid.SliceOfN(meshtest.Change(), 1, 40).Draw(t, "edits"), func(change catalog.Change) bool { return !isPolicyOfTenant(change) })
		c.Apply(edits)
		after := withoutTenant(scope.Build(c.View(), trustDomain, key))
		if diff := cmp.Diff(before, after, cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{}, netip.Prefix{}), cmpopts.EquateEmpty()); diff != "" {
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
			service := meshtest.Service(namespace, name, name, fmt.Sprintf("10.98.%d.%d", i, j), 80, catalog.ProtocolHTTP)
			entries = append(entries, pod, service, meshtest.Slice(service.Name, pod), meshtest.Group(namespace, name, "/x"))
		}
	}
	return entries
}

// withOwnAddress gives each Service with a cluster IP its own, as the API server does.
func withOwnAddress(change catalog.Change) catalog.Change {
	service, ok := change.Entry.(*catalog.Service)
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
		return slices.Contains([]catalog.Kind{
			catalog.KindTrafficTarget, catalog.KindHTTPRouteGroup, catalog.KindTCPRoute, catalog.KindTrafficSplit, catalog.KindRetry,
			catalog.KindUpstreamTrafficSetting, catalog.KindIngressBackend, catalog.KindEgress, catalog.KindTelemetry, catalog.KindExtensionService,
			catalog.KindExternalAuthorization,
		}, change.Ref.Kind)
	case *catalog.TrafficTarget:
		return e.Destination.Namespace == tenant
	case *catalog.HTTPRouteGroup, *catalog.TCPRoute, *catalog.TrafficSplit, *catalog.Telemetry, *catalog.ExtensionService, *catalog.ExternalAuthorizationPolicy:
		return true
	case *catalog.Retry:
		return e.Source.Namespace == tenant
	case *catalog.UpstreamTrafficSetting:
		return e.Service == (catalog.Name{}) || e.Service.Namespace == tenant
	case *catalog.Egress:
		return true // its sources are of its namespace
	case *catalog.IngressBackend:
		return !slices.ContainsFunc(e.Backends, func(b catalog.IngressPort) bool { return b.Service.Namespace != tenant })
	}
	return false
}

// withoutTenant returns a scope without the destinations in the namespace.
func withoutTenant(s *scope.Scope) *scope.Scope {
	rest := *s
	rest.Outbound = slices.DeleteFunc(slices.Clone(s.Outbound), func(o scope.Outbound) bool { return o.Service.Namespace == tenant })
	rest.Clusters = slices.DeleteFunc(slices.Clone(s.Clusters), func(c scope.Cluster) bool { return c.Service.Namespace == tenant })
	return &rest
}
