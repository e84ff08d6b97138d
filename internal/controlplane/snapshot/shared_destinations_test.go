package snapshot

import (
	"fmt"
	"net/netip"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/delta"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/quarantine"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestSharedDestinations_EqualOwnDestinations applies random edits, including permissive mode on and off, and compares every scope
// with one that is built without sharing.
func TestSharedDestinations_EqualOwnDestinations(t *testing.T) {
	sharing, own := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		entries := append(twoServices(), serviceRanges())
		client, server := podsOf(entries)
		client.OnDemand = rapid.Bool().Draw(rt, "on demand")
		h := newSyncedHarness(entries...)
		for _, pod := range []*catalog.Pod{client, server} {
			h.connect(t, pod)
		}
		for range rapid.IntRange(1, 25).Draw(rt, "edits") {
			change := keepNamespace(meshtest.Change().Draw(rt, "change"))
			if rapid.IntRange(0, 4).Draw(rt, "settings") == 0 {
				change = catalog.Set(&catalog.Settings{Permissive: rapid.Bool().Draw(rt, "permissive")})
			}
			h.store.Apply([]catalog.Change{change})
			h.run()
			for key, n := range h.store.scopes {
				want := scope.Build(h.store.catalog.View(), trustDomain, key)
				if diff := cmp.Diff(want, h.scopeOf(n), cmpopts.EquateEmpty(),
					cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
					cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
					rt.Fatalf("after %+v a scope differs from one without sharing (-own +shared):\n%s", change.Entry, diff)
				}
				if n.shared != nil {
					sharing++
				} else {
					own++
				}
			}
		}
	})
	if sharing == 0 || own == 0 {
		t.Errorf("%d scopes shared destinations and %d did not; both cases must occur", sharing, own)
	}
}

func TestSharedDestinations_AreDroppedWithTheLastScope(t *testing.T) {
	h := newSyncedHarness()
	entries := twoServices()
	h.apply(append(entries, &catalog.Settings{Permissive: true})...)
	client, server := podsOf(entries)
	first, second := h.connect(t, client), h.connect(t, server)
	if first.scope.Load().shared == nil || first.scope.Load().shared != second.scope.Load().shared {
		t.Fatal("two scopes do not share destinations in permissive mode")
	}
	first.Close()
	h.run()
	if h.store.shared.current == nil {
		t.Error("the shared destinations were dropped while a scope used them")
	}
	h.apply(&catalog.Settings{})
	if h.store.shared.current != nil || len(h.store.shared.layers)+len(h.store.shared.index.dependents) > 0 || second.scope.Load().shared != nil {
		t.Error("the shared destinations exist after permissive mode")
	}
	h.apply(&catalog.Settings{Permissive: true})
	second.Close()
	h.run()
	if h.store.shared.current != nil || len(h.store.shared.layers)+len(h.store.shared.index.dependents) > 0 {
		t.Error("the shared destinations exist after the last scope")
	}
}

// TestSharedDestinations_NotUsedWithQuarantinedPolicies checks that a scope with a quarantined policy has its own destinations.
func TestSharedDestinations_NotUsedWithQuarantinedPolicies(t *testing.T) {
	h := newSyncedHarness()
	entries := twoServices()
	split := &catalog.TrafficSplit{
		Name: meshtest.Name("a", "split"), Root: meshtest.Name("a", "server"),
		Backends: []catalog.SplitBackend{{Service: meshtest.Name("a", "server"), Weight: 1}},
	}
	h.apply(append(entries, &catalog.Settings{Permissive: true}, split)...)
	client, server := podsOf(entries)
	n, other := h.connect(t, client).scope.Load(), h.connect(t, server).scope.Load()
	if policies := h.store.catalog.Policies(h.store.dependencies(n)); len(policies) == 0 {
		t.Error("the policies of the scope do not include the TrafficSplit of a shared destination")
	}
	h.store.quarantine.Add(quarantine.Rejection{Policy: split.Ref(), Scope: n.key})
	h.store.rebuildScope(n)
	if n.shared != nil || other.shared == nil {
		t.Errorf("used by the scope without the TrafficSplit: %t, by the other: %t", n.shared != nil, other.shared != nil)
	}
	h.store.quarantine.Release(n.key, split.Ref())
	h.store.rebuildScope(n)
	if n.shared == nil || n.shared != other.shared {
		t.Error("the scope does not use shared destinations after the release of the policy")
	}
}

// TestSharedDestinations_StrictNamespace checks that scopes without access to a strict namespace share destinations, and that a scope
// with access has its own.
func TestSharedDestinations_StrictNamespace(t *testing.T) {
	h := newSyncedHarness()
	entries := twoServices()
	h.apply(append(entries, &catalog.Settings{Permissive: true})...)
	client, server := podsOf(entries)
	n, other := h.connect(t, client).scope.Load(), h.connect(t, server).scope.Load()
	strict := false
	vault := meshtest.Pod("bank", "vault", "vault", "vault", "10.0.0.99")
	service := meshtest.Service("bank", "vault", "vault", "10.96.0.99", 80, catalog.ProtocolHTTP)
	h.apply(&catalog.Namespace{Name: "bank", Monitored: true, Permissive: &strict}, vault, service, meshtest.Slice(service.Name, vault), meshtest.Group("bank", "all", "/.*"))
	if n.shared == nil || n.shared != other.shared {
		t.Error("two scopes without access to the strict namespace do not share destinations")
	}
	before := len(h.scopeOf(n).Outbound)
	h.apply(meshtest.Target("t", vault.Identity(), []catalog.TargetRule{meshtest.HTTP("all")}, client.Identity()))
	if n.shared != nil || other.shared == nil || len(h.scopeOf(n).Outbound) != before+1 {
		t.Errorf("with access: shared is %t, and %d destinations became %d; the other scope shares: %t", n.shared != nil, before, len(h.scopeOf(n).Outbound), other.shared != nil)
	}
}

// TestSharedDestinations_BaseFollowsTheResources checks that streams can refer to versions that nearly all clients have.
func TestSharedDestinations_BaseFollowsTheResources(t *testing.T) {
	h := newSyncedHarness()
	entries := twoServices()
	h.apply(append(entries, &catalog.Settings{Permissive: true})...)
	client, _ := podsOf(entries)
	n := h.connect(t, client).scope.Load()
	kinds := []resourcetype.Type{resourcetype.Clusters, resourcetype.Endpoints, resourcetype.Listeners, resourcetype.Routes}
	refreshed := map[resourcetype.Type]int{}
	for i := range 200 {
		name := fmt.Sprintf("s%d", i)
		pod := meshtest.Pod("a", name, name, name, fmt.Sprintf("10.1.0.%d", i))
		h.apply(pod, meshtest.Service("a", name, name, fmt.Sprintf("10.97.0.%d", i), 80, catalog.ProtocolHTTP), meshtest.Slice(meshtest.Name("a", name), pod))
		for _, kind := range kinds {
			l := n.shared
			base, changes := n.Base(kind), l.bases[kind].changes
			if changes > delta.MaxExceptions(base) {
				t.Fatalf("%s: after %d Services the base lacks %d changes", kind, i+1, changes)
			}
			if changes > 0 {
				continue
			}
			refreshed[kind]++
			if !reflect.DeepEqual(base, l.newBase(kind)) {
				t.Fatalf("%s: after %d Services a new base differs from the resources", kind, i+1)
			}
		}
	}
	for _, kind := range kinds {
		if refreshed[kind] < 5 {
			t.Errorf("%s: the base was made again %d times for 200 Services", kind, refreshed[kind])
		}
	}
}
