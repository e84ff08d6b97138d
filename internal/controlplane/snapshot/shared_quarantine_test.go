package snapshot

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/quarantine"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// permissiveMesh is a harness with a Service of each pod, all of which may call each other, and the streams of the pods.
type permissiveMesh struct {
	*harness
	pods    []*inventory.Instance
	streams []*Stream
}

// newPermissiveMesh returns a mesh with pods in the namespaces, one or more in each.
func newPermissiveMesh(t *testing.T, namespaces ...string) *permissiveMesh {
	m := &permissiveMesh{harness: newSyncedHarness(&catalog.Settings{Permissive: true})}
	for i, namespace := range namespaces {
		name := fmt.Sprint("s", i)
		pod := meshtest.Pod(namespace, name, name, name, fmt.Sprint("10.0.0.", i+1))
		service := meshtest.Service(namespace, name, name, fmt.Sprint("10.96.0.", i+1), 80, inventory.ProtocolHTTP)
		m.apply(&catalog.Namespace{Name: namespace, Monitored: true}, pod, accountOf(pod), service, meshtest.Slice(service.Name, pod))
		m.pods = append(m.pods, pod)
	}
	for _, pod := range m.pods {
		m.streams = append(m.streams, m.connect(t, pod))
	}
	return m
}

func (m *permissiveMesh) scope(i int) *scopeNode { return m.streams[i].scope.Load() }

// splitOf returns a TrafficSplit of the Service of a pod, and its HTTPRouteGroup with a path.
func (m *permissiveMesh) splitOf(i int, path string) (*catalog.TrafficSplit, *catalog.HTTPRouteGroup) {
	service := m.pods[i].Name
	return &catalog.TrafficSplit{
		Name: service, Root: service, Backends: []catalog.SplitBackend{{Service: service, Weight: 1}}, Matches: []string{service.Name},
	}, meshtest.Group(service.Namespace, service.Name, path)
}

// quarantine quarantines a policy for the scope of a pod.
func (m *permissiveMesh) quarantine(i int, policy entity.Ref) {
	n := m.scope(i)
	m.store.quarantine.Add(quarantine.Rejection{Policy: policy, Scope: n.key})
	m.store.rebuildScope(n)
}

// release ends the quarantine of a policy.
func (m *permissiveMesh) release(i int, policy entity.Ref) {
	n := m.scope(i)
	m.store.quarantine.Release(n.key, policy)
	m.store.rebuildScope(n)
}

// TestQuarantinedPolicy_KeepsDestinationsShared checks that scopes with the same quarantined policy share destinations, and that their streams can refer to
// versions that they have in common.
func TestQuarantinedPolicy_KeepsDestinationsShared(t *testing.T) {
	m := newPermissiveMesh(t, "a", "a", "a", "a", "b", "b", "b", "b")
	split, group := m.splitOf(0, "/x")
	m.apply(split, group)
	m.quarantine(0, split.Ref())
	m.quarantine(4, split.Ref())
	without := m.scope(0).shared
	if without == nil || without != m.scope(4).shared {
		t.Fatal("scopes with the same quarantined policy do not share destinations")
	}
	if with := m.scope(1).shared; with == nil || with == without || with != m.scope(5).shared {
		t.Error("the other scopes do not share destinations with the policy")
	}
	for _, kind := range []resourcetype.Type{resourcetype.Clusters, resourcetype.Endpoints, resourcetype.Listeners, resourcetype.Routes} {
		if base := m.scope(0).Base(kind); base == nil || base != m.scope(4).Base(kind) {
			t.Errorf("%s: streams of scopes with a quarantined policy have no common base", kind)
		}
	}
	if m.hasRoute(0, "/x") || m.hasRoute(4, "/x") || !m.hasRoute(1, "/x") || !m.hasRoute(5, "/x") {
		t.Error("the policy is not absent from exactly those scopes for which it is quarantined")
	}
	m.release(0, split.Ref())
	m.release(4, split.Ref())
	if n := m.scope(0); n.shared != m.scope(1).shared || n.shared != m.scope(4).shared {
		t.Error("after the release the scopes do not share destinations with the others")
	}
}

// hasRoute reports whether the routes to the first Service contain a text.
func (m *permissiveMesh) hasRoute(i int, text string) bool {
	c := contentOf(m.streams[i], resourcetype.Routes, "rds-outbound.80|a/s0")
	return c != nil && strings.Contains(string(c.Encoded()), text)
}

// drawQuarantine quarantines a random policy of a stream's scope, or releases it, or does neither.
func (h *harness) drawQuarantine(rt *rapid.T, stream *Stream) {
	n := stream.scope.Load()
	policies := h.store.catalog.Policies(h.store.dependencies(n))
	if h.store.scopes[n.key] != n || len(policies) == 0 || rapid.IntRange(0, 2).Draw(rt, "quarantine") > 0 {
		return
	}
	policy := rapid.SampledFrom(policies).Draw(rt, "policy")
	if _, quarantined := h.store.quarantine.Policies(n.key)[policy]; quarantined {
		h.store.quarantine.Release(n.key, policy)
	} else {
		h.store.quarantine.Add(quarantine.Rejection{Policy: policy, Scope: n.key})
	}
	h.store.rebuildScope(n)
}

// TestQuarantinedPolicy_ThatDestinationsDoNotDependOn checks that a scope shares destinations with all others while they do not depend on its quarantined
// policy, and never has the policy when they begin to depend on it.
func TestQuarantinedPolicy_ThatDestinationsDoNotDependOn(t *testing.T) {
	m := newPermissiveMesh(t, "a", "a", "b")
	split, group := m.splitOf(0, "/x")
	root := m.scopeOf(m.scope(0)).Outbound[0]
	m.remove(&inventory.Service{Name: root.Service})
	m.apply(group, split)
	m.quarantine(2, split.Ref())
	if m.scope(2).shared != m.scope(1).shared {
		t.Fatal("a policy of a Service that does not exist ends the sharing")
	}
	moments := 0
	m.store.config.Now = func() time.Time {
		if moments++; m.hasRoute(2, "/x") {
			t.Errorf("at moment %d the scope has the quarantined policy", moments)
		}
		return m.now
	}
	m.apply(meshtest.Service("a", "s0", "s0", root.Addresses[0].String(), 80, inventory.ProtocolHTTP))
	if m.scope(2).shared == m.scope(1).shared || m.scope(2).shared == nil || !m.hasRoute(1, "/x") || moments < 3 {
		t.Errorf("the policy is effective for others: %t; there were %d moments", m.hasRoute(1, "/x"), moments)
	}
}

// TestQuarantinedPolicy_ReturnsCorrected checks that a scope gets the corrected version of a quarantined policy, and never the rejected one.
func TestQuarantinedPolicy_ReturnsCorrected(t *testing.T) {
	m := newPermissiveMesh(t, "a", "a", "b")
	split, group := m.splitOf(0, "/rejected")
	m.apply(split, group)
	m.quarantine(2, group.Ref())
	m.store.config.Now = func() time.Time {
		if m.hasRoute(2, "/rejected") {
			t.Error("the scope has the rejected version of the policy")
		}
		return m.now
	}
	m.apply(meshtest.Group("a", "s0", "/corrected"))
	if !m.hasRoute(2, "/corrected") || m.scope(2).shared != m.scope(1).shared || len(m.store.shared.list) != 1 {
		t.Errorf("the scope has the corrected policy: %t; there are %d sets", m.hasRoute(2, "/corrected"), len(m.store.shared.list))
	}
}

// TestQuarantinedPolicies_CauseFewSets checks that the number of sets of quarantined policies with shared destinations is bounded, for each namespace and
// for all, and that they are dropped with their last scope.
func TestQuarantinedPolicies_CauseFewSets(t *testing.T) {
	var namespaces []string
	for _, namespace := range []string{"a", "b", "c", "d", "e"} {
		for range maxNamespaceSets + 1 {
			namespaces = append(namespaces, namespace)
		}
	}
	m := newPermissiveMesh(t, namespaces...)
	var splits []*catalog.TrafficSplit
	for i := range m.pods {
		split, group := m.splitOf(i, "/x")
		m.apply(split, group)
		splits = append(splits, split)
		m.quarantine(i, split.Ref())
	}
	for i := range m.pods {
		beyond := i%(maxNamespaceSets+1) == maxNamespaceSets || i >= maxQuarantinedSets/maxNamespaceSets*(maxNamespaceSets+1)
		if (m.scope(i).shared == nil) != beyond {
			t.Errorf("scope %d of %s shares destinations: %t", i, namespaces[i], !beyond)
		}
	}
	if count := len(m.store.shared.list); count != maxQuarantinedSets {
		t.Errorf("there are %d sets, want %d", count, maxQuarantinedSets)
	}
	for i, split := range splits[:len(splits)-1] {
		m.release(i, split.Ref())
	}
	last := len(m.streams) - 1
	m.store.rebuildScope(m.scope(last))
	if n := m.scope(last); n.shared == nil || len(n.shared.of.without) != 1 || len(m.store.shared.list) != 2 {
		t.Errorf("after the release of all others the last scope shares: %t, and there are %d sets", n.shared != nil, len(m.store.shared.list))
	}
	for _, stream := range m.streams {
		stream.Close()
	}
	m.run()
	m.advance(idleTime)
	if len(m.store.shared.list)+len(m.store.shared.index.Dependents) > 0 {
		t.Error("shared destinations exist without scopes")
	}
}
