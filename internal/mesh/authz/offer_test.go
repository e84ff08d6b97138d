package authz

import (
	"slices"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestOffer_exceeds checks the bounds themselves, which still fit.
func TestOffer_exceeds(t *testing.T) {
	for _, test := range []struct {
		offer      offer
		own, other bool
	}{
		{offer{MaxCrossNamespacePorts, MaxCrossNamespaceBackends, MaxCrossNamespaceEndpoints}, false, false},
		{offer{ports: MaxCrossNamespacePorts + 1}, false, true},
		{offer{backends: MaxCrossNamespaceBackends + 1}, false, true},
		{offer{endpoints: MaxCrossNamespaceEndpoints + 1}, false, true},
		{offer{MaxOwnPorts, MaxOwnBackends, 100 * MaxCrossNamespaceEndpoints}, false, true},
		{offer{ports: MaxOwnPorts + 1}, true, true},
		{offer{backends: MaxOwnBackends + 1}, true, true},
	} {
		if own, other := test.offer.exceeds(true), test.offer.exceeds(false); own != test.own || other != test.other {
			t.Errorf("%+v exceeds the bounds of the namespace itself: %t, of others: %t; want %t, %t", test.offer, own, other, test.own, test.other)
		}
	}
}

// TestOfferOf checks that backends of splits and routes count, and that pods do only where they are bounded.
func TestOfferOf(t *testing.T) {
	root := meshtest.Service("shop", "root", "root", "10.96.0.1", 80, inventory.ProtocolHTTP)
	root.Ports = append(root.Ports, inventory.Port{Number: 81, TargetPort: 81, Protocol: inventory.ProtocolHTTP})
	entries := []catalog.Entry{&catalog.Namespace{Name: "shop", Monitored: true}, root}
	for i, name := range []string{"one", "two", "three"} {
		entries = append(entries, meshtest.Service("shop", name, name, "10.96.1."+string(rune('1'+i)), 80, inventory.ProtocolHTTP),
			meshtest.Pod("shop", name, name, name, "10.0.0."+string(rune('1'+i))))
	}
	split := func(name, backend string, matches ...string) *catalog.TrafficSplit {
		return &catalog.TrafficSplit{Name: meshtest.Name("shop", name), Root: root.Name, Matches: matches, Backends: []catalog.SplitBackend{{Service: meshtest.Name("shop", backend), Weight: 1}}}
	}
	route := &catalog.HTTPRoute{
		Kind: entity.KindHTTPRoute, Name: meshtest.Name("shop", "r"), Parents: []catalog.RouteParent{{Service: root.Name, Port: 80}},
		Rules: []catalog.HTTPRouteRule{{Backends: []catalog.RouteBackend{{Service: meshtest.Name("shop", "three"), Port: 80, Weight: 1}}}},
	}
	entries = append(entries, split("all", "one"), split("some", "two", "group"), route)
	for countsPods, want := range map[bool]offer{true: {2, 6, 6}, false: {2, 6, 0}} {
		v := meshtest.Apply(entries...).View()
		if got := offerOf(v, "shop", root, countsPods); got != want {
			t.Errorf("with pods %t: %+v, want %+v", countsPods, got, want)
		}
		if reads := slices.ContainsFunc(v.Deps(), func(d entity.Dep) bool { return d.Kind == entity.DepPodCount }); reads != countsPods {
			t.Errorf("with pods %t: the number of pods is read: %t", countsPods, reads)
		}
	}
}

// TestPodsDoNotAffectOwnClients checks that what a client has of its own namespace does not depend on the number of pods.
func TestPodsDoNotAffectOwnClients(t *testing.T) {
	services := map[entity.Name]struct{}{meshtest.Name("shop", "web"): {}}
	for own, want := range map[string]bool{"shop": false, "buy": true} {
		v := meshtest.Apply(&catalog.Namespace{Name: "shop", Monitored: true}, meshtest.Service("shop", "web", "web", "10.96.0.1", 80, inventory.ProtocolHTTP)).View()
		if got := withinBounds(v, own, own, services); len(got) != 1 {
			t.Errorf("clients of %s have %v", own, got)
		}
		if reads := slices.ContainsFunc(v.Deps(), func(d entity.Dep) bool { return d.Kind == entity.DepPodCount }); reads != want {
			t.Errorf("clients of %s depend on the number of pods: %t, want %t", own, reads, want)
		}
	}
}
