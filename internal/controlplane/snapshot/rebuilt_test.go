package snapshot

import (
	"fmt"
	"slices"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/retry"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestChangesRebuildWhatDependsOnThem counts the rebuilt scopes of changes. One that depends on nothing else costs the same however large the mesh is.
func TestChangesRebuildWhatDependsOnThem(t *testing.T) {
	m := newPermissiveMesh(t, "a", "a", "b")
	account := meshtest.SA("a", "s0")
	target := meshtest.Target("t", account, []catalog.TargetRule{meshtest.HTTP("routes")}, meshtest.SA("b", "s2"))
	for _, step := range []struct {
		name   string
		change catalog.Entry
		// want is the number of scopes, and notified that of streams.
		want, notified int
	}{
		{"a new Service of the destinations of all", meshtest.Service("a", "new", "s0", "10.96.0.50", 81, inventory.ProtocolHTTP), 4, 3},
		{"all get destinations of their own", &catalog.Settings{}, 3, 3},
		{"a policy about one server, which no client may call", meshtest.Target("u", account, nil), 1, 0},
		{"a policy about one server and one client", target, 2, 0},
		{"the routes of this policy", meshtest.Group("a", "routes", "/x"), 2, 2},
		{"all share destinations again", &catalog.Settings{Permissive: true}, 3, 3},
		{"the routes of a policy without an effect", meshtest.Group("a", "routes", "/y"), 0, 0},
	} {
		m.apply(step.change)
		got := m.latestTrace()
		if got.Scopes != step.want || got.Streams != step.notified {
			t.Errorf("%s: %d scopes are rebuilt and %d streams are notified, want %d and %d", step.name, got.Scopes, got.Streams, step.want, step.notified)
		}
		if (got.Resources > 0) != (step.notified > 0) {
			t.Errorf("%s: %d resources differ, and %d streams are notified", step.name, got.Resources, got.Streams)
		}
	}
}

// TestSharingScopesFollowTheirOwnChanges changes what a client with shared destinations does not share.
func TestSharingScopesFollowTheirOwnChanges(t *testing.T) {
	m := newPermissiveMesh(t, "a", "a")
	m.apply(&catalog.Settings{Permissive: true, EgressPolicies: true})
	for _, stream := range m.streams {
		takeChanges(stream)
	}
	egress := egressOf("a", "example.com")
	egress.Sources = []identity.ServiceAccount{m.pods[0].Identity()}
	m.apply(egress)
	if own, other := takeChanges(m.streams[0]), takeChanges(m.streams[1]); len(own["RDS"]) == 0 || len(other) != 0 {
		t.Errorf("after a change of its hosts outside the mesh, the client gets %v, and another one %v; want routes, and nothing", own, other)
	}
	m.apply(&retry.Policy{Name: meshtest.Name("a", "retry"), Source: m.pods[0].Identity(), Destinations: []entity.Name{meshtest.Name("a", "s1")}, Settings: retry.Settings{On: "5xx", Count: 7}})
	m.apply(&catalog.Settings{Permissive: true, RetryPolicies: true})
	for _, stream := range m.streams {
		takeChanges(stream)
	}
	m.apply(meshtest.Service("a", "s1", "s1", "10.96.0.2", 85, inventory.ProtocolHTTP))
	const routes = "rds-outbound.85|a/s1"
	own, other := contentOf(m.streams[0], resourcetype.Routes, routes), contentOf(m.streams[1], resourcetype.Routes, routes)
	if own == nil || other == nil || own == other {
		t.Errorf("after its port has changed, the Service has routes for the client that retries: %t, and for another one: %t; the same: %t", own != nil, other != nil, own == other)
	}
	if got := takeChanges(m.streams[0])["RDS"]; !slices.Contains(got, routes) {
		t.Errorf("the client that retries gets the routes %v, want %s among them", got, routes)
	}
}

// TestOnDemandClientsFollowSharedPorts adds a Service with another port to shared destinations. A client that loads them on demand needs a listener for it.
func TestOnDemandClientsFollowSharedPorts(t *testing.T) {
	entries, client := onDemandMesh()
	_, server := podsOf(entries)
	h := newSyncedHarness(entries...)
	p := connectOnDemand(t, h, client)
	listeners := func() []string { return slices.Sorted(p.stream.scope.Load().Names(resourcetype.Listeners)) }
	before := listeners()
	service := meshtest.Service("a", "other", "server", "10.96.0.7", 81, inventory.ProtocolHTTP)
	h.apply(service, meshtest.Slice(service.Name, server))
	if after := listeners(); len(after) <= len(before) {
		t.Errorf("after a Service with another port was added, the listeners are %v; they were %v", after, before)
	}
	h.remove(service)
	if after := listeners(); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("after this Service was removed, the listeners are %v, want %v", after, before)
	}
}

// TestReconnectedStreamsGetChanges closes a stream and connects again before its scope is dropped. Later changes must reach the new stream.
func TestReconnectedStreamsGetChanges(t *testing.T) {
	entries := twoServices()
	h := newSyncedHarness(entries...)
	_, server := podsOf(entries)
	h.connect(t, server).Close()
	h.run()
	h.advance(idleTime / 2)
	stream := h.connect(t, server)
	h.advance(idleTime)
	takeChanges(stream)
	h.apply(meshtest.Group("a", "routes", "/changed"))
	if got := takeChanges(stream)["RDS"]; len(got) != 1 {
		t.Errorf("a change of its routes sends %v to a pod that has reconnected, want one route configuration", got)
	}
}

// TestScopesKeepParts changes a mesh whose client has a Service with many routes. What they add to the scope is kept until it may have changed.
func TestScopesKeepParts(t *testing.T) {
	entries := twoServices()
	client, _ := podsOf(entries)
	h := newSyncedHarness(append(entries, &catalog.Settings{EgressPolicies: true})...)
	service := meshtest.Name("a", "server")
	for i := range manyRoutes {
		h.apply(meshtest.Route(service, i, 0))
	}
	n := h.connect(t, client).scope.Load()
	part := n.parts.built[service]
	if part == nil {
		t.Fatal("the scope keeps nothing of a Service with many routes")
	}
	for _, step := range []struct {
		name     string
		do       func()
		isKept   bool
		isShared bool
	}{
		{"another policy of the client", func() {
			h.apply(&catalog.Egress{Name: meshtest.Name("a", "outside"), Sources: []identity.ServiceAccount{client.Identity()}, Hosts: []string{"example.com"}})
		}, true, false},
		{"a route", func() { h.apply(meshtest.Route(service, 0, 1)) }, false, false},
		{"a resync", func() { h.store.Resync(); h.run() }, false, false},
		{"shared destinations", func() { h.apply(&catalog.Settings{Permissive: true}) }, false, true},
	} {
		before := n.parts.built[service]
		step.do()
		after := n.parts.built[service]
		if (after == before) != step.isKept || (after == nil) != step.isShared {
			t.Errorf("%s: the part is kept: %t, and there is one: %t; want %t and %t", step.name, after == before, after != nil, step.isKept, !step.isShared)
		}
	}
}
