package snapshot

import (
	"fmt"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// tooLarge returns a HTTPRouteGroup with more matches than a sidecar can have.
func tooLarge() *catalog.HTTPRouteGroup {
	group := meshtest.Group("a", "many")
	for i := range authz.MaxRoutes + 1 {
		group.Matches = append(group.Matches, catalog.HTTPMatch{Name: fmt.Sprint(i), PathRegex: "/"})
	}
	return group
}

// TestLimitedPolicies checks that a policy is listed with the service accounts of connected proxies while it has too many routes.
func TestLimitedPolicies(t *testing.T) {
	entries := twoServices()
	client, server := podsOf(entries)
	h := newSyncedHarness(append(entries, &catalog.Settings{EgressPolicies: true})...)
	expect := func(step, want string) {
		t.Helper()
		if got := fmt.Sprint(h.store.LimitedPolicies()); got != want {
			t.Errorf("%s: %s, want %s", step, got, want)
		}
	}
	policy := &catalog.Egress{
		Name: meshtest.Name("a", "outside"), Sources: []identity.ServiceAccount{client.Identity(), server.Identity()}, Hosts: []string{"example.com"},
		Ports: []catalog.EgressPort{{Number: 80, Protocol: inventory.ProtocolHTTP}}, Restricted: true, RouteGroups: []string{"many"},
	}
	h.apply(policy, tooLarge())
	expect("nobody is connected", "[]")
	stream := h.connect(t, client)
	expect("a client is connected", "[{{Egress a/outside} [a/client] 0}]")
	h.connect(t, server)
	expect("two are connected", "[{{Egress a/outside} [a/client a/server] 0}]")
	stream.Close()
	h.run()
	h.advance(idleTime)
	expect("one disconnects", "[{{Egress a/outside} [a/server] 0}]")
	h.apply(meshtest.Group("a", "many", "/x"))
	expect("the policy is smaller", "[]")
}

// TestLimitedPoliciesOfSharedDestinations checks that a TrafficSplit in shared destinations is listed once for all clients, until the mesh
// is not permissive any more or no proxy is connected.
func TestLimitedPoliciesOfSharedDestinations(t *testing.T) {
	entries := twoServices()
	client, _ := podsOf(entries)
	h := newSyncedHarness(append(entries, &catalog.Settings{Permissive: true})...)
	server := meshtest.Name("a", "server")
	h.apply(tooLarge(), &catalog.TrafficSplit{
		Name: meshtest.Name("a", "split"), Root: server, Backends: []catalog.SplitBackend{{Service: server, Weight: 1}}, Matches: []string{"many"},
	})
	stream := h.connect(t, client)
	const shared, own = "[{{TrafficSplit a/split} [] 0}]", "[{{TrafficSplit a/split} [a/client] 0}]"
	steps := []struct {
		name, want string
		do         func()
	}{
		{"permissive", shared, func() {}},
		{"strict", own, func() { h.apply(&catalog.Settings{}) }},
		{"permissive again", shared, func() { h.apply(&catalog.Settings{Permissive: true}) }},
		{"disconnected", "[]", func() { stream.Close(); h.run(); h.advance(idleTime) }},
	}
	for _, step := range steps {
		step.do()
		if got := fmt.Sprint(h.store.LimitedPolicies()); got != step.want {
			t.Errorf("%s: %s, want %s", step.name, got, step.want)
		}
	}
}

// TestLimitedPolicies_NamesFewAccounts checks that the number of listed service accounts is bounded.
func TestLimitedPolicies_NamesFewAccounts(t *testing.T) {
	var l limitedPolicies
	policy := []entity.Ref{{Kind: entity.KindEgress, Name: meshtest.Name("a", "outside")}}
	for i := range 10 {
		l.replace(meshtest.SA("a", fmt.Sprint("client-", i)), nil, policy)
	}
	if got := fmt.Sprint(l.current()); got != "[{{Egress a/outside} [a/client-0 a/client-1 a/client-2] 7}]" {
		t.Error(got)
	}
}
