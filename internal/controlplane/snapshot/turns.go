package snapshot

import (
	"time"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/delta"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// A batch may rebuild many scopes, or few that are very large. Changes of other namespaces do not wait for all of them: they are applied between two
// scopes. Commands still wait, so nothing but changes ever finds a scope that is behind the catalog.

const (
	// maxTurn is how long scopes of a batch are rebuilt before changes of others are applied. One scope may take longer.
	maxTurn = 50 * time.Millisecond
	// maxInterrupted is how many batches may be interrupted at the same time.
	maxInterrupted = 2
)

// runningBatch is a batch that is applied.
type runningBatch struct {
	changes []catalog.Change
	trace   *status.BatchTrace
	// turnBegan is when the batch began, or when changes of others were applied last.
	turnBegan time.Time
	// remaining are the scopes that it has not rebuilt yet.
	remaining map[*scopeNode]struct{}
	// policies were changed by it, and by the batches that interrupted it.
	policies []catalog.Ref
}

// running are the batches that are applied: the last one has interrupted the others. It belongs to the Store's goroutine.
type running struct {
	batches []*runningBatch
	// maxTurn is the constant, except in tests.
	maxTurn time.Duration
	// others is the time of batches that have interrupted others.
	others time.Duration
}

// current returns the batch that is applied, or nil.
func (r *running) current() *runningBatch {
	if len(r.batches) == 0 {
		return nil
	}
	return r.batches[len(r.batches)-1]
}

// rebuildInTurns rebuilds scopes and removes them from the map. Those with shared destinations come first, because their own resources must fit to what
// they share. Large ones are last.
func (s *Store) rebuildInTurns(scopes map[*scopeNode]struct{}) {
	for n := range scopes {
		if n.shared != nil {
			delete(scopes, n)
			s.rebuildScope(n)
		}
	}
	if batch := s.running.current(); batch != nil {
		batch.remaining = scopes
		defer func() { batch.remaining = nil }()
	}
	for _, large := range []bool{false, true} {
		for n := range scopes {
			if _, isLarge := s.budgets.large[n]; isLarge == large {
				s.applyOthers()
				delete(scopes, n)
				s.rebuildScope(n)
			}
		}
	}
}

// applyOthers applies queued changes of other namespaces, if the current batch has had its turn.
func (s *Store) applyOthers() {
	r := &s.running
	batch := r.current()
	if batch == nil || len(r.batches) > maxInterrupted || s.config.Now().Sub(batch.turnBegan) < r.maxTurn || s.queue.changeCount() == 0 {
		return
	}
	began, before, trace := s.config.Now(), r.others, s.trace
	if queued := s.takeOthers(); len(queued.Changes) > 0 {
		s.applyShared(queued)
	}
	s.trace, batch.turnBegan = trace, s.config.Now()
	r.others = before + batch.turnBegan.Sub(began)
}

// takeOthers takes the queued changes, except those of namespaces whose changes are applied or wait for their turn.
func (s *Store) takeOthers() status.Batch {
	busy := map[string]bool{}
	for _, batch := range s.running.batches {
		for _, c := range batch.changes {
			busy[s.payerOf(c)] = true
		}
	}
	for namespace := range s.changeShares.measured {
		busy[namespace] = true
	}
	delete(busy, "")
	queued := s.queue.takeChanges()
	others, kept := queued, queued
	others.Changes, kept.Changes = nil, nil
	for _, c := range queued.Changes {
		if busy[s.payerOf(c)] {
			kept.Changes = append(kept.Changes, c)
		} else {
			others.Changes = append(others.Changes, c)
		}
	}
	s.queue.returnChanges(kept)
	return others
}

// notifyInterrupted records that the interrupted batches reach the streams of a scope too: the present batch rebuilds it for them.
func (s *Store) notifyInterrupted(n *scopeNode, changes *delta.Changes) {
	for _, batch := range s.running.batches {
		if _, remains := batch.remaining[n]; !remains || batch.trace == s.trace {
			continue
		}
		delete(batch.remaining, n)
		now := s.config.Now()
		for stream := range n.streams {
			stream.delta.Notify(changes, now, batch.trace)
		}
	}
}

// begin makes a batch the current one.
func (r *running) begin(b *runningBatch) { r.batches = append(r.batches, b) }

// end ends the current batch. Its policies also reach the scopes that an interrupted batch has not rebuilt yet.
func (r *running) end() {
	ended := r.current()
	r.batches = r.batches[:len(r.batches)-1]
	if interrupted := r.current(); interrupted != nil {
		interrupted.policies = append(interrupted.policies, ended.policies...)
	}
}
