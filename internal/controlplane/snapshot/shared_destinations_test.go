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
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestSharedDestinations_EqualOwnDestinations applies random edits, including permissive mode on and off, quarantines and releases policies,
// and compares every scope with one that is built without sharing.
func TestSharedDestinations_EqualOwnDestinations(t *testing.T) {
	sharing, sharingWithout, own := 0, 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		entries := append(twoServices(), serviceRanges())
		client, server := podsOf(entries)
		client.OnDemand = rapid.Bool().Draw(rt, "on demand")
		h := newSyncedHarness(entries...)
		streams := []*Stream{h.connect(t, client), h.connect(t, server)}
		for range rapid.IntRange(1, 25).Draw(rt, "edits") {
			change := keepNamespace(meshtest.PeerChange().Draw(rt, "change"))
			if rapid.IntRange(0, 4).Draw(rt, "settings") == 0 {
				change = catalog.Set(&catalog.Settings{Permissive: rapid.Bool().Draw(rt, "permissive")})
			}
			h.store.Apply([]catalog.Change{change})
			h.run()
			for _, stream := range streams {
				h.drawQuarantine(rt, stream)
			}
			for key, n := range h.store.scopes {
				want := scope.Build(h.store.catalog.ViewWithout(h.store.quarantine.Policies(key)), trustDomain, key)
				if diff := cmp.Diff(want, h.scopeOf(n), cmpopts.EquateEmpty(),
					cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
					cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
					rt.Fatalf("after %+v a scope differs from one without sharing (-own +shared):\n%s", change.Entry, diff)
				}
				switch {
				case n.shared == nil:
					own++
				case len(n.shared.of.without) > 0:
					sharingWithout++
				default:
					sharing++
				}
			}
		}
	})
	if sharing == 0 || sharingWithout == 0 || own == 0 {
		t.Errorf("%d scopes shared destinations, %d shared those without a policy and %d did not; all cases must occur", sharing, sharingWithout, own)
	}
}

// TestSharedDestinations_WithAuthoritiesOutside checks that a sidecar with shared destinations has the authorities of a server outside the mesh, without which
// it cannot encrypt requests to it.
func TestSharedDestinations_WithAuthoritiesOutside(t *testing.T) {
	h := newSyncedHarness()
	entries := twoServices()
	client, _ := podsOf(entries)
	h.apply(append(entries, &catalog.Settings{Permissive: true, EgressPolicies: true}, &catalog.BackendAuthorities{Name: meshtest.Name("a", "ca"), PEM: []byte("authority")},
		&catalog.Egress{
			Name: meshtest.Name("a", "api"), Sources: []identity.ServiceAccount{client.Identity()}, Hosts: []string{"api.example.com"},
			Ports: []catalog.EgressPort{{Number: 80, Protocol: inventory.ProtocolHTTP}},
		},
		&catalog.BackendTLSPolicy{
			Name: meshtest.Name("a", "tls"), Hostname: "api.example.com", Authorities: []string{"ca"},
			Targets: []catalog.PolicyTarget{{Group: catalog.PolicyGroup, Kind: "Egress", Name: "api"}},
		})...)
	stream := h.connect(t, client)
	if stream.scope.Load().shared == nil || contentOf(stream, resourcetype.Secrets, "backend-authorities:a/tls") == nil {
		t.Error("a sidecar with shared destinations lacks the authorities")
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
	if len(h.store.shared.list) != 1 {
		t.Error("the shared destinations were dropped while a scope used them")
	}
	h.apply(&catalog.Settings{})
	if len(h.store.shared.list)+len(h.store.shared.index.Dependents) > 0 || second.scope.Load().shared != nil {
		t.Error("the shared destinations exist after permissive mode")
	}
	h.apply(&catalog.Settings{Permissive: true})
	second.Close()
	h.run()
	h.advance(idleTime)
	if len(h.store.shared.list)+len(h.store.shared.index.Dependents) > 0 {
		t.Error("the shared destinations exist after the last scope")
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
	service := meshtest.Service("bank", "vault", "vault", "10.96.0.99", 80, inventory.ProtocolHTTP)
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
		h.apply(pod, meshtest.Service("a", name, name, fmt.Sprintf("10.97.0.%d", i), 80, inventory.ProtocolHTTP), meshtest.Slice(meshtest.Name("a", name), pod))
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
