package snapshot

import (
	"fmt"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/delta"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/extauthz"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// isClosed reports whether a channel is closed.
func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// TestDecisionServersOfAProxy follows the authorization servers of a connected proxy.
func TestDecisionServersOfAProxy(t *testing.T) {
	entries := twoServices()
	_, server := podsOf(entries)
	h := newSyncedHarness(append(entries, &catalog.Settings{Namespace: "osm-system"})...)
	stream := h.connect(t, server)
	changed := h.store.DecisionServersChanged()
	expect := func(when, want string, isNews bool) {
		t.Helper()
		if got := fmt.Sprint(stream.DecisionServers()); got != want {
			t.Errorf("%s: the servers are %s, want %s", when, got, want)
		}
		if got := isClosed(changed); got != isNews {
			t.Errorf("%s: those who wait are woken: %t, want %t", when, got, isNews)
		}
		changed = h.store.DecisionServersChanged()
	}
	policy := func(namespace string) *extauthz.Policy {
		return &extauthz.Policy{Name: meshtest.Name(namespace, "own"), Service: meshtest.Name(namespace, "opa"), Timeout: time.Second}
	}
	opa := func(namespace string) *catalog.ExtensionService {
		return &catalog.ExtensionService{Name: meshtest.Name(namespace, "opa"), Address: "192.0.2.1", Port: 9191}
	}
	expect("without servers", "[]", false)
	h.apply(opa("a"), policy("a"))
	expect("with one of the namespace", "[{external-authorization|namespace a/own}]", true)
	h.apply(meshtest.Group("a", "routes", "/other"), meshtest.Service("a", "more", "server", "10.96.0.9", 81, inventory.ProtocolHTTP))
	expect("after other changes", "[{external-authorization|namespace a/own}]", false)
	h.apply(opa("osm-system"), policy("osm-system"))
	expect("with one of the mesh", "[{external-authorization|mesh osm-system/own} {external-authorization|namespace a/own}]", true)
	h.remove(policy("a"))
	expect("without that of the namespace", "[{external-authorization|mesh osm-system/own}]", true)
	n := stream.scope.Load()
	if !n.mu.TryLock() {
		t.Error("the scope is still locked")
	}
}

// TestDecisionServersAreSorted changes clusters of a scope with many decision servers.
func TestDecisionServersAreSorted(t *testing.T) {
	n := &scopeNode{key: scope.Key{Authorization: meshtest.Name("a", "own"), MeshAuthorization: meshtest.Name("osm-system", "mesh")}}
	names := []string{"ratelimit|c", "ratelimit|a", "ratelimit|d", "ratelimit|b", extauthz.Cluster(true), extauthz.Cluster(false), envoy.ConfiguredAuthorizationCluster, "a/server|80"}
	n.own.contents[resourcetype.Clusters] = map[string]*resource.Content{}
	for _, name := range names {
		n.own.contents[resourcetype.Clusters][name] = newCluster(t, name, "1")
	}
	if n.updateServers(&delta.Changes{resourcetype.Clusters: {"a/server|80"}}) || n.servers != nil {
		t.Errorf("a change of another cluster changes the servers to %v", n.servers)
	}
	const want = "[{external-authorization /} {external-authorization|mesh osm-system/mesh} {external-authorization|namespace a/own} {ratelimit|a /} {ratelimit|b /} {ratelimit|c /} {ratelimit|d /}]"
	for range 2 {
		if changed := n.updateServers(&delta.Changes{resourcetype.Clusters: {"a/server|80", "ratelimit|a"}}); !changed || fmt.Sprint(n.decisionServers()) != want {
			t.Errorf("the servers have changed: %t, to %v; want %s", changed, n.decisionServers(), want)
		}
	}
	clear(n.own.contents[resourcetype.Clusters])
	if changed := n.updateServers(&delta.Changes{resourcetype.Clusters: {"ratelimit|a"}}); !changed || len(n.servers) != 0 {
		t.Errorf("without clusters, the servers have changed: %t, to %v; want none", changed, n.servers)
	}
}

// TestBroadcast wakes those who wait, and nobody twice.
func TestBroadcast(t *testing.T) {
	var b broadcast
	b.send()
	first := b.wait()
	second := b.wait()
	if isClosed(first) || isClosed(second) {
		t.Error("somebody is woken who has begun to wait afterwards")
	}
	b.send()
	if !isClosed(first) || !isClosed(second) {
		t.Errorf("woken are the first: %t, the second: %t; want both", isClosed(first), isClosed(second))
	}
	b.send()
	if isClosed(b.wait()) {
		t.Error("the next one does not wait")
	}
	if !b.mu.TryLock() {
		t.Error("the broadcast is still locked")
	}
}
