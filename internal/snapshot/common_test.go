package snapshot

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestSharingShowsNowhere edits a mesh at random, among others by making it permissive and taking that back, and holds every
// scope against one that is built alone.
func TestSharingShowsNowhere(t *testing.T) {
	sharing, alone := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		b := newBench()
		b.store.MarkSynced()
		entries := twoServices()
		b.apply(entries...)
		client, server := pods(entries)
		for _, pod := range []*catalog.Pod{client, server} {
			b.mustConnect(t, pod)
		}
		for range rapid.IntRange(1, 25).Draw(rt, "edits") {
			change := sidecarSafe(meshtest.Change().Draw(rt, "change"))
			if rapid.IntRange(0, 4).Draw(rt, "settings") == 0 {
				change = catalog.Set(&catalog.Settings{Permissive: rapid.Bool().Draw(rt, "permissive")})
			}
			b.store.Apply([]catalog.Change{change})
			b.run()
			for key, n := range b.store.scopes {
				want := scope.Build(b.store.catalog.View(), trustDomain, key)
				if diff := cmp.Diff(want, n.built, cmpopts.EquateEmpty(),
					cmpopts.IgnoreFields(scope.Inbound{}, "DrainMark"), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
					rt.Fatalf("after %+v a scope differs from one that is built alone (-alone +shared):\n%s", change.Entry, diff)
				}
				if n.shared != nil {
					sharing++
				} else {
					alone++
				}
			}
		}
	})
	if sharing == 0 || alone == 0 {
		t.Errorf("%d scopes shared their destinations and %d did not: both must have been tried", sharing, alone)
	}
}

// TestSharingEnds checks that nothing is kept of what nobody shares any more.
func TestSharingEnds(t *testing.T) {
	b := newBench()
	b.store.MarkSynced()
	entries := twoServices()
	b.apply(append(entries, &catalog.Settings{Permissive: true})...)
	client, server := pods(entries)
	first, second := b.mustConnect(t, client), b.mustConnect(t, server)
	if first.scope.shared == nil || first.scope.shared != second.scope.shared {
		t.Fatal("two scopes of a permissive mesh do not share their destinations")
	}
	first.Close()
	b.run()
	if b.store.common.current == nil {
		t.Error("the destinations are gone while a scope shares them")
	}
	b.apply(&catalog.Settings{})
	if b.store.common.current != nil || len(b.store.common.scopes)+len(b.store.common.reads.readers) > 0 || second.scope.shared != nil {
		t.Error("the common destinations outlive the permissive mode")
	}
	b.apply(&catalog.Settings{Permissive: true})
	second.Close()
	b.run()
	if b.store.common.current != nil || len(b.store.common.scopes)+len(b.store.common.reads.readers) > 0 {
		t.Error("the common destinations outlive the last scope")
	}
}

// TestWithheldPolicyEndsSharing checks that a scope without some policy has destinations of its own, and that the policy is still
// known to be part of those that share.
func TestWithheldPolicyEndsSharing(t *testing.T) {
	b := newBench()
	b.store.MarkSynced()
	entries := twoServices()
	split := &catalog.TrafficSplit{
		Name: meshtest.Name("a", "split"), Root: meshtest.Name("a", "server"),
		Backends: []catalog.SplitBackend{{Service: meshtest.Name("a", "server"), Weight: 1}},
	}
	b.apply(append(entries, &catalog.Settings{Permissive: true}, split)...)
	client, server := pods(entries)
	n, other := b.mustConnect(t, client).scope, b.mustConnect(t, server).scope
	if policies := b.store.catalog.Policies(b.store.readBy(n)); len(policies) == 0 {
		t.Error("a split that a shared destination is made of is not among the policies of the scope")
	}
	b.store.quarantine.withhold(Rejection{Policy: split.Ref(), Scope: n.key})
	b.store.rebuildScope(n)
	if n.shared != nil || other.shared == nil {
		t.Errorf("shared by the scope without the split: %t, by the other: %t", n.shared != nil, other.shared != nil)
	}
	b.store.quarantine.release(n.key, split.Ref())
	b.store.rebuildScope(n)
	if n.shared == nil || n.shared != other.shared {
		t.Error("the scope does not share again after the policy was given back")
	}
}

// TestSharingBesideAStrictNamespace: in a permissive mesh with a strict namespace those share who may not call anything there, and one
// that a policy lets in has destinations of its own.
func TestSharingBesideAStrictNamespace(t *testing.T) {
	b := newBench()
	b.store.MarkSynced()
	entries := twoServices()
	b.apply(append(entries, &catalog.Settings{Permissive: true})...)
	client, server := pods(entries)
	n, other := b.mustConnect(t, client).scope, b.mustConnect(t, server).scope
	strict := false
	vault := meshtest.Pod("bank", "vault", "vault", "vault", "10.0.0.99")
	service := meshtest.Service("bank", "vault", "vault", "10.96.0.99", 80, catalog.ProtocolHTTP)
	b.apply(&catalog.Namespace{Name: "bank", Monitored: true, Permissive: &strict}, vault, service, meshtest.Slice(service.Name, vault), meshtest.Group("bank", "all", "/.*"))
	if n.shared == nil || n.shared != other.shared {
		t.Error("two scopes that no policy lets into the strict namespace do not share")
	}
	before := len(n.built.Outbound)
	b.apply(meshtest.Target("t", vault.Identity(), []catalog.TargetRule{meshtest.HTTP("all")}, client.Identity()))
	if n.shared != nil || other.shared == nil || len(n.built.Outbound) != before+1 {
		t.Errorf("let in by a policy: shared is %t, and %d destinations became %d; the other scope shares: %t", n.shared != nil, before, len(n.built.Outbound), other.shared != nil)
	}
}
