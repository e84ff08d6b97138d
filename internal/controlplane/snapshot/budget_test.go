package snapshot

import (
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestBudgetsCountLargeScopes checks which scopes of a namespace have room, and which are tried again when another one is smaller or released.
func TestBudgetsCountLargeScopes(t *testing.T) {
	b := newBudgets()
	nodes := map[string]*scopeNode{}
	node := func(namespace, name string) *scopeNode {
		key := namespace + name
		if nodes[key] == nil {
			nodes[key] = &scopeNode{key: scope.Key{Identity: meshtest.SA(namespace, name)}}
		}
		return nodes[key]
	}
	gateway := &scopeNode{key: scope.Key{Identity: meshtest.SA("a", "gateway"), Proxy: scope.ProxyIngressGateway}}
	const half = maxNamespaceBytes / 2
	for _, step := range []struct {
		name    string
		node    *scopeNode
		bytes   int
		want    bool
		retries string
	}{
		{"the first", node("a", "one"), half, true, ""},
		{"the second", node("a", "two"), half, true, ""},
		{"one too many", node("a", "three"), largeScope, false, ""},
		{"another one too many", node("a", "seven"), largeScope, false, ""},
		{"a third one too many", node("a", "five"), largeScope, false, ""},
		{"a fourth one too many", node("a", "six"), largeScope, false, ""},
		{"a small one", node("a", "four"), largeScope - 1, true, ""},
		{"another namespace", node("b", "one"), 2 * half, true, ""},
		{"a gateway", gateway, 2 * half, true, ""},
		{"the same again", node("a", "one"), half, true, "five seven six three"},
		{"a small one again", node("a", "four"), 1, true, ""},
		{"a smaller one", node("a", "one"), half - largeScope, true, "five seven six three"},
		{"the refused one", node("a", "three"), largeScope, true, ""},
		{"a larger one", node("a", "two"), half + 1, false, "five seven six two"},
		{"a small one now", node("a", "two"), 1, true, ""},
	} {
		if got := b.admit(step.node, step.bytes); got != step.want {
			t.Errorf("%s: admitted %v, want %v", step.name, got, step.want)
		}
		var names []string
		for _, n := range b.takeRetries() {
			names = append(names, n.key.Identity.Name)
		}
		if retries := strings.Join(names, " "); retries != step.retries {
			t.Errorf("%s: %q is tried again, want %q", step.name, retries, step.retries)
		}
	}
	for _, n := range nodes {
		b.remove(n)
	}
	if left := len(b.bytes) + len(b.large) + len(b.refused); left > 0 {
		t.Errorf("without scopes, there are %+v", b)
	}
}

// TestSidecarsBeyondTheBudgetDenyAllRequests checks that a namespace whose sidecars need too much memory loses traffic of its own only, and that the
// sidecars are served once there is room.
func TestSidecarsBeyondTheBudgetDenyAllRequests(t *testing.T) {
	var entries []catalog.Entry
	pods := map[string]*inventory.Instance{}
	for i, key := range []string{"a/one", "a/two", "b/three"} {
		namespace, name := key[:1], key[2:]
		pod := meshtest.Pod(namespace, name, name, name, fmt.Sprintf("10.0.0.%d", i+1))
		service := meshtest.Service(namespace, name, name, fmt.Sprintf("172.0.0.%d", i+1), 80, inventory.ProtocolHTTP)
		pods[key] = pod
		entries = append(entries, &catalog.Namespace{Name: namespace, Monitored: true}, meshtest.Group(namespace, "all", "/"), pod, service, meshtest.Slice(service.Name, pod),
			&catalog.ServiceAccount{Name: entity.Name(pod.Identity()), UID: "uid-of-" + name},
			meshtest.Target(name, pod.Identity(), []catalog.TargetRule{meshtest.HTTP("all")}, identity.ServiceAccount{Namespace: namespace, Name: "client"}))
	}
	h := newSyncedHarness(entries...)
	h.store.budgets.least, h.store.budgets.maximum = 1, 6000 // a port needs 4,096 bytes and three routes
	first, second, other := h.connect(t, pods["a/one"]), h.connect(t, pods["a/two"]), h.connect(t, pods["b/three"])
	ports := func(s *Stream) int { return len(s.scope.Load().built.Inbound) }
	expect := func(step string, wantFirst, wantSecond int, limited string) {
		t.Helper()
		if ports(first) != wantFirst || ports(second) != wantSecond || ports(other) != 1 {
			t.Errorf("%s: the sidecars have %d, %d and %d ports, want %d, %d and 1", step, ports(first), ports(second), ports(other), wantFirst, wantSecond)
		}
		if got := fmt.Sprint(h.store.LimitedPolicies()); got != limited {
			t.Errorf("%s: limited are %s, want %s", step, got, limited)
		}
		refused := 2 - wantFirst - wantSecond
		if step == "the first has no port" {
			refused = 0
		}
		if got := testutil.ToFloat64(h.store.metrics.refused); got != float64(refused) {
			t.Errorf("%s: %v configurations are refused, want %d", step, got, refused)
		}
	}
	expect("the second has no room", 1, 0, "[{{TrafficTarget a/two} [a/two] 0}]")
	h.apply(meshtest.Target("one", pods["a/one"].Identity(), nil))
	h.store.Apply([]catalog.Change{{Ref: entity.Ref{Kind: entity.KindService, Name: meshtest.Name("a", "one")}}})
	h.run()
	expect("the first has no port", 0, 1, "[]")
	h.apply(meshtest.Service("a", "one", "one", "172.0.0.1", 80, inventory.ProtocolHTTP))
	expect("the first comes later", 0, 1, "[]")
	second.Close()
	h.run()
	if ports(first) != 1 {
		t.Errorf("without the second, the first has %d ports", ports(first))
	}
}

// TestScopeBeyondTheBudgetIsLoggedOnce builds a scope that is denied several times.
func TestScopeBeyondTheBudgetIsLoggedOnce(t *testing.T) {
	entries := twoServices()
	_, server := podsOf(entries)
	h := newSyncedHarness(entries...)
	h.store.budgets.least, h.store.budgets.maximum = 1, 2
	lines := h.recordLog("exceeds the budget")
	h.connect(t, server)
	want := []string{`"identity"="a/server" "bytes"=5632 "maximum"=2`}
	lines.expect(t, "a sidecar has no room", want...)
	h.apply(meshtest.Group("a", "routes", "/other"))
	lines.expect(t, "it is built again", want...)
	h.store.budgets.maximum = maxNamespaceBytes
	h.apply(meshtest.Group("a", "routes", "/third"))
	h.store.budgets.maximum = 2
	h.apply(meshtest.Group("a", "routes", "/fourth"))
	lines.expect(t, "it had room in between", append(want, want...)...)
}

// TestTeardownDeniesNothing checks that a sidecar beyond the budget is served once the mesh is removed: nothing may be denied then.
func TestTeardownDeniesNothing(t *testing.T) {
	entries := twoServices()
	_, server := podsOf(entries)
	h := newSyncedHarness(entries...)
	h.store.budgets.least, h.store.budgets.maximum = 1, 2
	stream := h.connect(t, server)
	if got := len(stream.scope.Load().built.Inbound); got != 0 {
		t.Fatalf("beyond the budget, the sidecar has %d ports, want none", got)
	}
	h.apply(&catalog.Settings{Teardown: 1})
	if got := len(stream.scope.Load().built.Inbound); got != 1 {
		t.Errorf("while the mesh is removed, the sidecar has %d ports, want 1", got)
	}
}
