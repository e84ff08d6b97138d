package snapshot

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestRefusedScopesGetTheRoomOfOthers makes a large sidecar smaller without moving it. Another one of its namespace, which had no room, is served then.
func TestRefusedScopesGetTheRoomOfOthers(t *testing.T) {
	entries := twoServices()
	client, server := podsOf(entries)
	second := meshtest.Pod("a", "second", "second", "second", "10.0.0.3")
	service := meshtest.Service("a", "second", "second", "10.96.0.2", 80, inventory.ProtocolHTTP)
	h := newSyncedHarness(append(entries, second, accountOf(second), service, meshtest.Slice(service.Name, second), meshtest.Group("a", "small", "/x"),
		meshtest.Target("u", second.Identity(), []catalog.TargetRule{meshtest.HTTP("small")}, client.Identity()))...)
	h.store.budgets.least = 1
	first := h.connect(t, server)
	h.store.budgets.maximum = h.store.budgets.bytes["a"]
	refused := h.connect(t, second)
	ports := func() [2]int {
		return [2]int{len(first.scope.Load().built.Inbound), len(refused.scope.Load().built.Inbound)}
	}
	if got, count := ports(), testutil.ToFloat64(h.store.metrics.refused); got != [2]int{1, 0} || count != 1 {
		t.Fatalf("two sidecars have %v ports, and %v configurations are refused; want a port of the first, and one refused", got, count)
	}
	h.store.budgets.maximum *= 2
	h.apply(meshtest.Target("t", server.Identity(), nil))
	if got, count := ports(), testutil.ToFloat64(h.store.metrics.refused); got != [2]int{1, 1} || count != 0 {
		t.Errorf("after the first sidecar has become smaller, they have %v ports, and %v configurations are refused; want one each, and none", got, count)
	}
	h.store.budgets.maximum = 1
	h.apply(meshtest.Group("a", "small", "/y"))
	if count := testutil.ToFloat64(h.store.metrics.refused); count != 1 {
		t.Errorf("%v configurations are refused, want 1", count)
	}
	refused.Close()
	h.run()
	if count := testutil.ToFloat64(h.store.metrics.refused); count != 0 {
		t.Errorf("after the refused sidecar has disconnected, %v configurations are refused, want none", count)
	}
}

// TestSharedDestinationsAreInNoBudget adds a Service that all clients may call. The configuration that a client shares with no other one stays as large.
func TestSharedDestinationsAreInNoBudget(t *testing.T) {
	m := newPermissiveMesh(t, "a", "a")
	before := m.scope(0).bytes
	service := meshtest.Service("a", "new", "s1", "10.96.0.50", 80, inventory.ProtocolHTTP)
	m.apply(service, meshtest.Slice(service.Name, m.pods[1]))
	m.store.Resync()
	m.run()
	if after := m.scope(0).bytes; after != before || m.scope(0).shared == nil {
		t.Errorf("the configuration of a client has %d bytes, want %d as before", after, before)
	}
}

// TestWaitingPodsAreNotBoundDuringATranslation lets two streams wait for pods of one identity. While the scope of the first one is translated, a policy changes.
func TestWaitingPodsAreNotBoundDuringATranslation(t *testing.T) {
	m := newAsideMesh(t)
	var changes []catalog.Change
	var waiting []*pendingStream
	for _, name := range []string{"first", "second"} {
		pod := meshtest.Pod("hostile", name, "new", "new", "10.1.0."+map[string]string{"first": "7", "second": "8"}[name])
		p := &pendingStream{peer: peerOf(pod), abort: func() {}, result: make(chan connectResult, 1)}
		m.store.addPending(p)
		waiting = append(waiting, p)
		changes = append(changes, catalog.Set(pod), catalog.Set(accountOf(pod)))
	}
	m.during(t, meshtest.Group("a", "routes", "/other"))
	m.store.Apply(changes)
	m.run()
	for _, p := range waiting {
		if len(p.result) != 1 {
			t.Errorf("the stream of %s still waits for its pod", p.peer.Pod)
		} else if r := <-p.result; r.err != nil || r.stream.scope.Load().built == nil {
			t.Errorf("the stream of %s has no configuration, and the error %v", p.peer.Pod, r.err)
		}
	}
	if len(takeChanges(m.server)["RDS"]) == 0 {
		t.Error("the change of another namespace has not reached its sidecar")
	}
}

// TestDroppedScopesStayAsTheyAre deletes the pod of a scope while it is translated. What comes too late changes nothing.
func TestDroppedScopesStayAsTheyAre(t *testing.T) {
	m := newAsideMesh(t)
	n := m.hostile.scope.Load()
	n.built.Limited = nil
	before := n.versions()
	m.during(t, meshtest.Pod("hostile", "pod", "x", "another", "10.1.0.1"))
	many := egressOf("hostile", "one.example.com")
	many.Sources = append(many.Sources, identity.ServiceAccount{Namespace: "hostile", Name: "another"})
	m.apply(many)
	m.advanceIdle()
	if m.store.scopes[n.key] == n {
		t.Fatal("the scope is still in use")
	}
	for kind, version := range n.versions() {
		if before[kind] != version {
			t.Errorf("the dropped scope has other resources of %s than before", kind)
		}
	}
}
