package snapshot

import (
	"slices"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestInterruptionsAreBounded checks how many batches can be interrupted.
func TestInterruptionsAreBounded(t *testing.T) {
	r := newRunning()
	for number, want := range []bool{false, true, true, false} {
		if got := r.canBeInterrupted(); got != want {
			t.Errorf("with %d batches, changes of others may be applied: %t, want %t", number, got, want)
		}
		r.begin(&runningBatch{})
	}
}

// TestTranslatedScopesArePostponed rebuilds scopes while others are translated. A batch is counted once for each scope that it cannot rebuild.
func TestTranslatedScopesArePostponed(t *testing.T) {
	one, two, other := &scopeNode{}, &scopeNode{}, &scopeNode{}
	idle, first, second, current := &runningBatch{rebuilt: other}, &runningBatch{rebuilt: one, translating: true}, &runningBatch{rebuilt: two, translating: true}, &runningBatch{}
	r := running{batches: []*runningBatch{idle, first, second, current}}
	for _, step := range []struct {
		name      string
		node      *scopeNode
		want      bool
		postponed int
	}{{"not translated", other, false, 0}, {"the first", one, true, 1}, {"the second", two, true, 2}, {"the second again", two, true, 2}} {
		if got := r.postpone(step.node); got != step.want || current.postponed != step.postponed {
			t.Errorf("%s: postponed is %t, and the batch waits for %d scopes; want %t and %d", step.name, got, current.postponed, step.want, step.postponed)
		}
	}
	for name, batch := range map[string]*runningBatch{"first": first, "second": second} {
		if !slices.Equal(batch.affectedBy, []*runningBatch{current}) {
			t.Errorf("the translation of the %s batch is affected by %d batches, want the current one", name, len(batch.affectedBy))
		}
	}
	if len(idle.affectedBy) != 0 {
		t.Error("a batch that translates nothing is affected by another one")
	}
}

// TestScopesInTranslationLimitChanges checks which changes may interrupt: none of the namespace of a scope that is translated again, and only policies while a
// scope is new.
func TestScopesInTranslationLimitChanges(t *testing.T) {
	known, fresh := &scopeNode{key: scope.Key{Identity: meshtest.SA("tenant", "x")}, built: &scope.Scope{}}, &scopeNode{key: scope.Key{Identity: meshtest.SA("tenant", "x")}}
	for name, test := range map[string]struct {
		outer, current *runningBatch
		wantRepeated   string
		wantNew        bool
	}{
		"no translation":                       {&runningBatch{}, &runningBatch{rebuilt: known, translations: 1}, "", false},
		"the first translation":                {&runningBatch{}, &runningBatch{rebuilt: known, translating: true}, "", false},
		"another translation":                  {&runningBatch{}, &runningBatch{rebuilt: known, translating: true, translations: 1}, "tenant", false},
		"a new scope":                          {&runningBatch{}, &runningBatch{rebuilt: fresh, translating: true}, "", true},
		"a new scope of the interrupted batch": {&runningBatch{rebuilt: fresh, translating: true}, &runningBatch{rebuilt: known}, "", true},
		"a new scope that is not translated":   {&runningBatch{rebuilt: fresh}, &runningBatch{}, "", false},
	} {
		r := running{batches: []*runningBatch{test.outer, test.current}}
		if got := r.repeatedNamespace(); got != test.wantRepeated {
			t.Errorf("%s: the namespace of the repeated scope is %q, want %q", name, got, test.wantRepeated)
		}
		if got := r.buildsNewScope(); got != test.wantNew {
			t.Errorf("%s: a new scope is built: %t, want %t", name, got, test.wantNew)
		}
	}
}

// TestChangesThatInterrupt queues changes of several namespaces during a batch, and checks which ones interrupt it.
func TestChangesThatInterrupt(t *testing.T) {
	egress := func(namespace string) catalog.Change { return catalog.Set(egressOf(namespace, namespace)) }
	service := catalog.Set(meshtest.Service("other", "service", "x", "10.96.0.7", 80, inventory.ProtocolHTTP))
	pod := catalog.Set(meshtest.Pod("tenant", "pod", "x", "x", "10.0.0.7"))
	otherPod := catalog.Set(meshtest.Pod("other", "pod", "x", "x", "10.0.0.8"))
	node := &scopeNode{key: scope.Key{Identity: meshtest.SA("tenant", "x")}, built: &scope.Scope{}}
	for name, test := range map[string]struct {
		batch   runningBatch
		changes []catalog.Change
		busy    []string
		want    int
	}{
		"its own namespaces":                     {runningBatch{changes: []catalog.Change{egress("one"), egress("two")}}, []catalog.Change{egress("one"), egress("two")}, nil, 0},
		"another namespace":                      {runningBatch{changes: []catalog.Change{egress("one")}}, []catalog.Change{egress("one"), egress("other"), service, pod}, nil, 3},
		"a namespace whose changes took long":    {runningBatch{changes: []catalog.Change{egress("one")}}, []catalog.Change{egress("other"), egress("slow")}, []string{"slow"}, 1},
		"namespaces of the batch in translation": {runningBatch{changes: []catalog.Change{egress("one"), egress("tenant")}, rebuilt: node, translating: true}, []catalog.Change{egress("one"), egress("tenant"), pod}, nil, 2},
		"pods of a repeated scope":               {runningBatch{rebuilt: node, translating: true, translations: 1}, []catalog.Change{pod, otherPod, egress("one")}, nil, 2},
		"policies during a new scope":            {runningBatch{rebuilt: &scopeNode{}, translating: true}, []catalog.Change{pod, service, egress("one")}, nil, 1},
		"settings":                               {runningBatch{changes: []catalog.Change{egress("one")}}, []catalog.Change{catalog.Set(&catalog.Settings{})}, nil, 1},
		"changes after a batch of pods":          {runningBatch{changes: []catalog.Change{otherPod}}, []catalog.Change{pod}, nil, 1},
	} {
		h := newSyncedHarness()
		for _, namespace := range test.busy {
			h.store.changeShares.measured[namespace] = h.now.Add(watchTime)
			h.store.changeShares.shares.Charge(namespace, slowUse, h.now)
		}
		h.store.changeShares.measured["other"] = h.now.Add(watchTime)
		h.store.changeShares.shares.Charge("other", slowUse-1, h.now)
		h.store.running.begin(&test.batch)
		h.store.Apply(test.changes)
		others, left := h.store.takeOthers(0)
		if len(others.Changes) != test.want || left != len(test.changes)-test.want {
			t.Errorf("%s: %d changes interrupt and %d are left, want %d and %d", name, len(others.Changes), left, test.want, len(test.changes)-test.want)
		}
	}
}

// TestChangesWaitWithoutABatch applies changes of others when no batch runs, when one runs, and when as many are interrupted as may be.
func TestChangesWaitWithoutABatch(t *testing.T) {
	h := newSyncedHarness()
	h.store.Apply([]catalog.Change{catalog.Set(meshtest.Pod("a", "pod", "x", "x", "10.0.0.7"))})
	for _, test := range []struct{ batches, want int }{{0, 1}, {3, 1}, {1, 0}} {
		for range test.batches {
			h.store.running.begin(&runningBatch{})
		}
		h.store.applyOthers(0)
		if got := h.store.queue.changeCount(); got != test.want {
			t.Errorf("with %d batches, %d changes wait, want %d", test.batches, got, test.want)
		}
		h.store.running.batches = nil
	}
}
