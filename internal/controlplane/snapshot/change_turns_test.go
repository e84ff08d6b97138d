package snapshot

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// timedMesh is a mesh in which a batch takes as long as a test says.
type timedMesh struct {
	*harness
	// took is how long the next batch takes, and others the part of it in which other batches interrupt it.
	took, others time.Duration
}

func newTimedMesh() *timedMesh {
	m := &timedMesh{harness: newSyncedHarness(twoServices()...)}
	m.apply(&catalog.Settings{Namespace: "osm-system"})
	m.clock = func() time.Time {
		if len(m.store.running.batches) > 0 {
			m.now = m.now.Add(m.took)
			m.store.running.others += m.others
			m.took, m.others = 0, 0
		}
		return m.now
	}
	return m
}

// change applies entries in one batch that takes some time.
func (m *timedMesh) change(took time.Duration, entries ...catalog.Entry) {
	var changes []catalog.Change
	for _, e := range entries {
		changes = append(changes, catalog.Set(e))
	}
	m.took = took
	m.store.Apply(changes)
	m.run()
	m.took, m.others = 0, 0
}

// paths returns the path of the group "x" of each namespace.
func (m *timedMesh) paths(namespaces ...string) string {
	var paths []string
	for _, namespace := range namespaces {
		path := "none"
		if group := m.store.catalog.View().HTTPRouteGroup(meshtest.Name(namespace, "x")); group != nil {
			path = group.Matches[0].PathRegex
		}
		paths = append(paths, path)
	}
	return strings.Join(paths, " ")
}

// TestNamespacesOfSlowBatchesAreMeasured checks which namespaces have batches of their own after a batch, and how much of their time is used.
func TestNamespacesOfSlowBatchesAreMeasured(t *testing.T) {
	group := func(namespace string) catalog.Entry { return meshtest.Group(namespace, "x", "/1") }
	settings := &catalog.Settings{Namespace: "osm-system", Egress: true}
	service := meshtest.Service("a", "other", "server", "10.96.0.9", 81, inventory.ProtocolHTTP)
	for name, test := range map[string]struct {
		took, others time.Duration
		entries      []catalog.Entry
		// before is the time of interruptions before.
		before    time.Duration
		notSynced bool
		measured  string
		used      time.Duration
	}{
		"quick":                       {took: slowBatch - 1, entries: []catalog.Entry{group("a")}},
		"slow":                        {took: slowBatch, entries: []catalog.Entry{group("a")}, measured: "a", used: slowBatch},
		"slow Service":                {took: slowBatch, entries: []catalog.Entry{service}, measured: "a", used: slowBatch},
		"slow because of others":      {took: 190 * time.Millisecond, others: 100 * time.Millisecond, entries: []catalog.Entry{group("a")}},
		"slow even without others":    {took: 190 * time.Millisecond, others: 50 * time.Millisecond, before: time.Hour, entries: []catalog.Entry{group("a")}, measured: "a", used: 140 * time.Millisecond},
		"at the start":                {took: 6 * time.Second, entries: []catalog.Entry{group("a")}, notSynced: true},
		"of two namespaces":           {took: 6 * time.Second, entries: []catalog.Entry{group("a"), group("b")}, measured: "a b"},
		"of an administrator and one": {took: 6 * time.Second, entries: []catalog.Entry{settings, group("a")}, measured: "a"},
		"of an administrator":         {took: 6 * time.Second, entries: []catalog.Entry{settings}},
		"of the control plane":        {took: 6 * time.Second, entries: []catalog.Entry{group("osm-system")}},
		"of a pod":                    {took: 6 * time.Second, entries: []catalog.Entry{meshtest.Pod("a", "new", "server", "server", "10.0.0.9")}},
	} {
		m := newTimedMesh()
		m.store.running.others, m.others = test.before, test.others
		m.store.synced.Store(!test.notSynced)
		m.change(test.took, test.entries...)
		x := m.store.changeShares
		if got := strings.Join(slices.Sorted(maps.Keys(x.measured)), " "); got != test.measured {
			t.Errorf("a batch that is %s: measured are %q, want %q", name, got, test.measured)
		}
		if got := x.shares.Used("a", m.now); got != test.used {
			t.Errorf("a batch that is %s: the namespace has used %v, want %v", name, got, test.used)
		}
	}
}

// TestBatchWithAMeasuredNamespaceIsComplete applies changes of a measured namespace between those of others in one batch.
func TestBatchWithAMeasuredNamespaceIsComplete(t *testing.T) {
	m := newTimedMesh()
	m.change(slowBatch, meshtest.Group("a", "x", "/1"))
	second := meshtest.Group("a", "second", "/2")
	m.change(0, meshtest.Group("b", "x", "/2"), meshtest.Group("a", "x", "/2"), second, meshtest.Group("c", "x", "/2"))
	if got := m.paths("a", "b", "c"); got != "/2 /2 /2" || m.store.catalog.View().HTTPRouteGroup(second.Name) == nil {
		t.Errorf("the groups have the paths %s, want /2 for all, and a second group", got)
	}
}

// TestAdministratorsDoNotWait changes settings slowly, alone and while a namespace is measured.
func TestAdministratorsDoNotWait(t *testing.T) {
	m := newTimedMesh()
	change := func(when string) {
		t.Helper()
		settings := m.store.catalog.View().Settings()
		settings.Egress = !settings.Egress
		m.change(12*time.Second, &settings)
		if got := m.store.catalog.View().Settings().Egress; got != settings.Egress {
			t.Errorf("%s, a change of the settings waits", when)
		}
	}
	change("at first")
	change("after a slow change")
	m.change(slowBatch, meshtest.Group("a", "x", "/1"))
	for range 3 {
		change("while a namespace is measured")
	}
}

// TestNamespaceIsMeasuredWhileItsChangesAreSlow checks until when a namespace has batches of its own.
func TestNamespaceIsMeasuredWhileItsChangesAreSlow(t *testing.T) {
	m := newTimedMesh()
	m.change(slowBatch, meshtest.Group("a", "x", "/1"))
	end := m.now.Add(watchTime)
	for _, step := range []struct {
		path string
		took time.Duration
	}{{"/2", slowBatch - 1}, {"/3", slowBatch}, {"/4", 2 * slowBatch}} {
		m.now = m.now.Add(time.Second)
		m.change(step.took, meshtest.Group("a", "x", step.path))
		if step.took >= slowBatch {
			end = m.now.Add(watchTime)
		}
		if got := m.store.changeShares.measured["a"]; !got.Equal(end) {
			t.Errorf("after a change of %v, the namespace is measured until %v, want %v", step.took, got, end)
		}
	}
	m.now = end
	m.store.dropUnused()
	if len(m.store.changeShares.measured) == 0 {
		t.Error("the namespace is not measured until the end")
	}
	m.now = end.Add(1)
	m.store.dropUnused()
	if got := m.store.changeShares; !reflect.DeepEqual(got, newChangeShares()) {
		t.Errorf("after the end, %d namespaces are measured and the shares are %v; want nothing", len(got.measured), got.shares)
	}
}

// TestWaitingChangesKeepTheirOrder lets changes of one object wait until the namespace would not be measured any more.
func TestWaitingChangesKeepTheirOrder(t *testing.T) {
	m := newTimedMesh()
	lines := m.recordLog("Changes of a namespace wait")
	m.change(12*time.Second, meshtest.Group("a", "x", "/1"))
	expect := func(when, path string, delayed float64) {
		t.Helper()
		if got := m.paths("a"); got != path {
			t.Errorf("%s: the path is %s, want %s", when, got, path)
		}
		if got := testutil.ToFloat64(m.store.metrics.delayed); got != delayed {
			t.Errorf("%s: %v changes are counted as waiting, want %v", when, got, delayed)
		}
	}
	m.change(0, meshtest.Group("a", "x", "/2"))
	expect("after a slow change", "/1", 1)
	lines.expect(t, "after a slow change", `"namespace"="a" "wait"="20s"`)
	m.now = m.now.Add(watchTime + 1)
	m.store.dropUnused()
	expect("after the time of measuring", "/1", 1)
	m.change(0, meshtest.Group("a", "x", "/3"))
	expect("with another version", "/1", 1)
	lines.expect(t, "with another version", `"namespace"="a"`)
	m.fireTimers()
	expect("in the end", "/3", 0)
}

// TestMeasuredNamespaceWaitsOnceItsTimeIsUsed applies two changes of a measured namespace, of which the first uses its time.
func TestMeasuredNamespaceWaitsOnceItsTimeIsUsed(t *testing.T) {
	m := newTimedMesh()
	m.change(slowBatch, meshtest.Group("a", "x", "/1"))
	m.change(12*time.Second, meshtest.Group("a", "x", "/2"))
	m.change(0, meshtest.Group("a", "x", "/3"))
	if got := m.paths("a"); got != "/2" {
		t.Errorf("the path is %s, want /2: the second change waits", got)
	}
}

// TestWaitingChangeIsApplied lets one change wait.
func TestWaitingChangeIsApplied(t *testing.T) {
	m := newTimedMesh()
	m.change(12*time.Second, meshtest.Group("a", "x", "/1"))
	m.change(0, meshtest.Group("a", "x", "/2"))
	m.now = m.now.Add(changesWait)
	m.fireTimers()
	if got := m.paths("a"); got != "/2" {
		t.Errorf("the path is %s, want that of the change that has waited", got)
	}
}
