package snapshot

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
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
			built, exists := trials.BuildWithout(n.key, nil, resourcetype.Type(kind), name)
			if !exists || built.Hash() != content.Hash() {
				t.Errorf("%s %s of the trial differs", resourcetype.Type(kind), name)
			}
		}
	}
	if _, exists := trials.BuildWithout(n.key, nil, resourcetype.Clusters, "none"); exists || len(names) < 5 {
		t.Errorf("the trial has a resource that does not exist, or the scope has few types: %v", names)
	}
	whole := allocated(func() { h.store.marshal(h.store.buildScope(n.built)) })
	if trial := allocated(func() { trials.BuildWithout(n.key, nil, resourcetype.Clusters, names[resourcetype.Clusters]) }); trial > whole/2 {
		t.Errorf("the trial of a cluster needs %d bytes, and the whole configuration %d", trial, whole)
	}
}

// allocated returns the bytes that a function allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
