package snapshot

import (
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// plannedBatch is a batch, and the changes that are queued while its scopes are translated, in order.
type plannedBatch struct{ changes, interruptions []catalog.Change }

// drawBatches draws everything before anything runs: how many translations begin depends on the time that they take.
func drawBatches(t *rapid.T) []plannedBatch {
	draw := func(label string, least, most int) []catalog.Change {
		var changes []catalog.Change
		for range rapid.IntRange(least, most).Draw(t, label) {
			changes = append(changes, drawEdit(t))
		}
		return changes
	}
	var batches []plannedBatch
	for range rapid.IntRange(1, 4).Draw(t, "batches") {
		batches = append(batches, plannedBatch{draw("changes", 1, 2), draw("interruptions", 0, 5)})
	}
	return batches
}

// TestTurnsKeepTheirInvariant lets random changes interrupt the translations of others. Whenever the Store has nothing to do, no batch is left, each scope is
// what the catalog says, whichever batch has built it, and each change that made a difference has a trace with an end.
func TestTurnsKeepTheirInvariant(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		entries := twoServices()
		h := newSyncedHarness(append(entries, serviceRanges())...)
		h.now = h.now.Add(secretsTimeout) // before, streams wait for authorities that a new policy refers to
		client, server := podsOf(entries)
		h.connect(t, client)
		h.connect(t, server)
		before := catalog.New()
		for _, entry := range append(entries, serviceRanges()) {
			before.Apply([]catalog.Change{catalog.Set(entry)})
		}
		for _, batch := range drawBatches(rt) {
			last := map[entity.Ref]catalog.Change{}
			queue := func(change catalog.Change) {
				last[change.Ref] = change
				h.store.Apply([]catalog.Change{change})
			}
			h.translateSlowly(batch.interruptions, queue)
			for _, change := range batch.changes {
				queue(change)
			}
			h.run()
			h.checkTurns(rt, batch, differing(before, last))
			before.Apply(slices.Collect(maps.Values(last)))
		}
	})
}

// differing returns the objects that are not as before. Changes of one object that cancel each other are applied as none.
func differing(before *catalog.Catalog, last map[entity.Ref]catalog.Change) []entity.Ref {
	var refs []entity.Ref
	for ref, change := range last {
		if before.Differs(change) {
			refs = append(refs, ref)
		}
	}
	return refs
}

// translateSlowly makes each translation take so long that changes interrupt it, and queues one when a translation begins, while there are any.
func (h *harness) translateSlowly(interruptions []catalog.Change, queue func(catalog.Change)) {
	h.store.running.maxTurn, h.store.running.leastAside = 0, 0
	h.store.running.start = func(translate func()) {
		if len(interruptions) > 0 {
			queue(interruptions[0])
			interruptions = interruptions[1:]
		}
		go func() {
			time.Sleep(2 * asideInterval)
			translate()
		}()
	}
}

func (h *harness) checkTurns(t failer, batch plannedBatch, changed []entity.Ref) {
	if running := h.store.running; len(running.batches) > 0 {
		t.Fatalf("%d batches run although the Store has nothing to do", len(running.batches))
	}
	for _, n := range h.store.scopes {
		h.compareWithFull(t, n, batch.changes[0].Entry)
	}
	traces := h.store.Traces()
	for _, ref := range changed {
		isTraced := func(trace status.Trace) bool {
			return slices.ContainsFunc(trace.Objects, func(o status.TracedObject) bool { return o.Ref == ref })
		}
		if !slices.ContainsFunc(traces, isTraced) {
			t.Fatalf("the change of %v has no trace that has ended", ref)
		}
	}
}
