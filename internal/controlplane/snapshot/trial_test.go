package snapshot

import (
	"fmt"
	"maps"
	"runtime"
	"testing"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestTrialsBuildOneResource checks that a trial without some policies gives the same resource as the whole configuration, and that it does not need
// the memory of the whole: a sidecar that rejects everything causes many trials.
func TestTrialsBuildOneResource(t *testing.T) {
	entries := twoServices()
	client, server := podsOf(entries)
	group := meshtest.Group("a", "many")
	for i := range 5000 {
		group.Matches = append(group.Matches, catalog.HTTPMatch{Name: fmt.Sprint(i), PathRegex: fmt.Sprint("/", i)})
	}
	h := newSyncedHarness(append(entries, group, meshtest.Target("many", server.Identity(), []catalog.TargetRule{meshtest.HTTP("many")}, client.Identity()))...)
	n := h.connect(t, server).scope.Load()
	trials, names := quarantineScopes{h.store}, map[resourcetype.Type]string{}
	for kind, contents := range n.own.contents {
		for name, content := range contents {
			names[resourcetype.Type(kind)] = name
			hash, exists := trials.HashWithout(n.key, nil, resourcetype.Type(kind), name)
			if !exists || hash != content.Hash() {
				t.Errorf("%s %s of the trial differs", resourcetype.Type(kind), name)
			}
		}
	}
	if _, exists := trials.HashWithout(n.key, nil, resourcetype.Clusters, "none"); exists || len(names) < 5 {
		t.Errorf("the trial has a resource that does not exist, or the scope has few types: %v", names)
	}
	whole := allocated(func() { encode(h.store.withSecrets(envoy.Build)(n.built)) })
	if trial := allocated(func() { trials.HashWithout(n.key, nil, resourcetype.Clusters, names[resourcetype.Clusters]) }); trial > whole*2/3 {
		t.Errorf("the trial of a cluster needs %d bytes, and the whole configuration %d", trial, whole)
	}
}

// TestTrials_OfAllScopesBuildOnce checks that the destinations without a policy are built for the first of many scopes that reject a resource only, and
// that they are forgotten when the mesh changes or nobody needs them, and bounded in number.
func TestTrials_OfAllScopesBuildOnce(t *testing.T) {
	m := newPermissiveMesh(t, "a", "a", "a", "a")
	for i := range m.pods {
		split, group := m.splitOf(i, "/x")
		m.apply(split, group)
	}
	trials := &m.store.trials
	try := func(i int, policy entity.Ref) {
		t.Helper()
		policies := map[entity.Ref]struct{}{policy: {}}
		want := m.scope(i).shared.contents[resourcetype.Routes]["rds-outbound.80|a/s0"].Hash()
		hash, exists := quarantineScopes{m.store}.HashWithout(m.scope(i).key, policies, resourcetype.Routes, "rds-outbound.80|a/s0")
		if differs := hash != want; !exists || differs != (policy.Name.Name == "s0") {
			t.Errorf("without %v the resource exists: %t, and differs: %t", policy, exists, differs)
		}
	}
	splits := m.store.catalog.Entries(entity.KindTrafficSplit)
	for _, split := range splits {
		try(0, split.Ref())
	}
	built := maps.Clone(trials.byPolicies)
	for i := range m.pods {
		for _, split := range splits {
			try(i, split.Ref())
		}
	}
	if !maps.Equal(built, trials.byPolicies) || len(built) != len(splits) {
		t.Errorf("%d trials became %d with more scopes, want %d", len(built), len(trials.byPolicies), len(splits))
	}
	if trials.dropUnused(); len(trials.byPolicies) == 0 {
		t.Error("trials are forgotten though they are in use")
	}
	if trials.dropUnused(); len(trials.byPolicies) > 0 {
		t.Error("trials are not forgotten though nobody needs them")
	}
	try(0, splits[0].Ref())
	if m.apply(meshtest.Service("a", "new", "s0", "10.96.0.99", 80, inventory.ProtocolHTTP)); len(trials.byPolicies) > 0 {
		t.Error("trials are not forgotten though the mesh has changed")
	}
	for i := range 2 * maxSharedTrials {
		policies := map[entity.Ref]struct{}{splits[0].Ref(): {}, {Kind: entity.KindTrafficSplit, Name: meshtest.Name("a", fmt.Sprint(i))}: {}}
		quarantineScopes{m.store}.HashWithout(m.scope(0).key, policies, resourcetype.Routes, "rds-outbound.80|a/s0")
	}
	if count := len(trials.byPolicies); count > maxSharedTrials {
		t.Errorf("%d trials are remembered, want at most %d", count, maxSharedTrials)
	}
}

// TestTrials_EqualFullBuild applies random edits and quarantines policies in a permissive mesh, and compares trials without each policy of a scope with the
// configuration that is built without it.
func TestTrials_EqualFullBuild(t *testing.T) {
	differing, missing := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		// A pod and Services that random policies refer to.
		probe := meshtest.Pod("a", "probe", "one", "one", "10.0.1.1")
		entries := append(twoServices(), serviceRanges(), &catalog.Settings{Permissive: true}, probe, accountOf(probe))
		for i, name := range []string{"one", "two", "three"} {
			service := meshtest.Service("a", name, "one", fmt.Sprint("10.96.0.", 10+i), 80, inventory.ProtocolHTTP)
			entries = append(entries, service, meshtest.Slice(service.Name, probe))
		}
		client, _ := podsOf(entries)
		client.OnDemand, probe.OnDemand = rapid.Bool().Draw(rt, "on demand"), rapid.Bool().Draw(rt, "on demand")
		h := newSyncedHarness(entries...)
		h.now = h.now.Add(secretsTimeout) // before, a stream waits for authorities that a new policy refers to
		streams := []*Stream{h.connect(t, client), h.connect(t, probe)}
		for range rapid.IntRange(1, 10).Draw(rt, "edits") {
			change := keepNamespace(meshtest.PeerChange().Draw(rt, "change"))
			if change.Ref.Kind == entity.KindSettings {
				continue
			}
			h.store.Apply([]catalog.Change{change})
			h.run()
			for _, stream := range streams {
				h.drawQuarantine(rt, stream)
				n := stream.scope.Load()
				for _, policy := range (quarantineScopes{h.store}).Policies(n.key) {
					different, absent := h.checkTrial(rt, n, policy)
					differing, missing = differing+different, missing+absent
				}
			}
		}
	})
	if differing == 0 || missing == 0 {
		t.Errorf("%d resources differed without a policy and %d did not exist; both must occur", differing, missing)
	}
}

// checkTrial compares the trials of all resources of a scope without a policy with a full build. It returns how many differ, and how many do not exist.
func (h *harness) checkTrial(rt failer, n *scopeNode, policy entity.Ref) (differing, missing int) {
	policies := map[entity.Ref]struct{}{policy: {}}
	for quarantined := range h.store.quarantine.Policies(n.key) {
		policies[quarantined] = struct{}{}
	}
	full := scope.BuildWithShared(h.store.catalog.ViewWithout(policies), h.store.trustDomains, n.key, nil)
	want := map[resourcetype.Type]map[string]*resource.Content{}
	for _, r := range encode(h.store.withSecrets(envoy.Build)(full)) {
		if want[r.kind] == nil {
			want[r.kind] = map[string]*resource.Content{}
		}
		want[r.kind][r.name] = r.content
	}
	for kind, contents := range n.flatten().contents {
		for name, content := range contents {
			c := want[resourcetype.Type(kind)][name]
			hash, exists := quarantineScopes{h.store}.HashWithout(n.key, policies, resourcetype.Type(kind), name)
			if exists != (c != nil) || hash != hashOf(c) {
				rt.Fatalf("%s %s without %v: the trial has %v (%t), and the configuration %v (%t)", resourcetype.Type(kind), name, policy, hash, exists, hashOf(c), c != nil)
			}
			switch {
			case !exists:
				missing++
			case hash != content.Hash():
				differing++
			}
		}
	}
	return differing, missing
}

// allocated returns the bytes that a function allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
