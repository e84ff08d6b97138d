package snapshot

import (
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/delta"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// A batch may rebuild many scopes, or few that are very large. Changes of other namespaces do not wait for all of them: they are applied between two
// scopes, and while a large one is translated. Commands still wait, so nothing but changes ever finds a scope that is behind the catalog.

const (
	// maxTurn is how long scopes of a batch are rebuilt before changes of others are applied.
	maxTurn = 50 * time.Millisecond
	// leastAside is from how many estimated bytes a scope is translated on another goroutine. Its translation takes longer than some milliseconds.
	leastAside = 1 << 20
	// asideInterval is how often the Store looks for changes of others meanwhile.
	asideInterval = 500 * time.Microsecond
	// slowUse is how much of its time a namespace has used whose changes interrupt no others.
	slowUse = 500 * time.Millisecond
	// maxInterrupted is how many batches may be interrupted at the same time.
	maxInterrupted = 2
	// maxInterruptedTranslations is how often a scope is translated again because it has changed meanwhile, before changes of others wait.
	maxInterruptedTranslations = 3
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
	policies []entity.Ref
	// rebuilt is the scope that is rebuilt now. translating is true while changes of others are applied during its translation, and affectedBy are the
	// batches that have changed it meanwhile. included are those that the present translation includes.
	rebuilt              *scopeNode
	translating          bool
	affectedBy, included []*runningBatch
	// translations counts those of the scope.
	translations int
	// postponed counts the scopes that interrupted batches rebuild for this one. They end its trace.
	postponed int
}

// running are the batches that are applied: the last one has interrupted the others. It belongs to the Store's goroutine.
type running struct {
	batches []*runningBatch
	// maxTurn and leastAside are the constants, except in tests.
	maxTurn    time.Duration
	leastAside int
	// start starts a goroutine.
	start func(func())
	// others is the time of batches that have interrupted others.
	others time.Duration
}

func newRunning() running {
	return running{maxTurn: maxTurn, leastAside: leastAside, start: func(f func()) { go f() }}
}

// current returns the batch that is applied, or nil.
func (r *running) current() *runningBatch {
	if len(r.batches) == 0 {
		return nil
	}
	return r.batches[len(r.batches)-1]
}

// canBeInterrupted reports whether changes of others may be applied now.
func (r *running) canBeInterrupted() bool {
	return len(r.batches) > 0 && len(r.batches) <= maxInterrupted
}

// postpone reports whether a scope is translated now. Then it is rebuilt again afterwards.
func (r *running) postpone(n *scopeNode) bool {
	for _, batch := range r.batches {
		if !batch.translating || batch.rebuilt != n {
			continue
		}
		if by := r.current(); !slices.Contains(batch.affectedBy, by) {
			batch.affectedBy = append(batch.affectedBy, by)
			by.postponed++
		}
		return true
	}
	return false
}

// setRemaining sets the scopes that the current batch has to rebuild.
func (r *running) setRemaining(scopes map[*scopeNode]struct{}) {
	if batch := r.current(); batch != nil {
		batch.remaining = scopes
	}
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
	batch := s.running.current()
	for _, large := range []bool{false, true} {
		for n := range scopes {
			if _, isLarge := s.budgets.large[n]; isLarge != large {
				continue
			}
			if batch != nil && s.config.Now().Sub(batch.turnBegan) >= s.running.maxTurn {
				s.applyOthers(0)
			}
			if _, remains := scopes[n]; remains {
				delete(scopes, n)
				s.rebuildInTurn(batch, n)
			}
		}
	}
}

// rebuildInTurn rebuilds a scope, and again if changes of others affect it meanwhile.
func (s *Store) rebuildInTurn(batch *runningBatch, n *scopeNode) {
	if batch == nil {
		s.rebuildScope(n)
		return
	}
	batch.rebuilt = n
	for batch.translations = 0; batch.translations == 0 || len(batch.affectedBy) > 0; batch.translations++ {
		batch.included, batch.affectedBy = batch.affectedBy, nil
		s.rebuildScope(n)
		for _, other := range batch.included {
			if other.postponed--; other.postponed == 0 {
				s.tracer.Finish(other.trace, s.config.Now())
			}
		}
	}
	batch.rebuilt, batch.included = nil, nil
}

// translateInTurn makes the resources of a scope. Changes of others are applied while a large one is translated.
func (s *Store) translateInTurn(n *scopeNode, step transition) translation {
	batch := s.running.current()
	isInTurn := batch != nil && batch.rebuilt == n && batch.translations < maxInterruptedTranslations && s.running.canBeInterrupted()
	if !isInTurn || n.shared != nil || n.bytes < s.running.leastAside {
		return step.translate()
	}
	batch.translating = true
	defer func() { batch.translating = false }()
	made := make(chan translation, 1)
	s.running.start(func() { made <- step.translate() })
	look := time.NewTicker(asideInterval)
	defer look.Stop()
	for seen := 0; ; {
		select {
		case t := <-made:
			return t
		case <-look.C:
			seen = s.applyOthers(seen)
		}
	}
}

// applyOthers applies queued changes of other namespaces. It ignores the first ones, which it has seen before, and returns how many it leaves.
func (s *Store) applyOthers(seen int) int {
	r := &s.running
	if !r.canBeInterrupted() || s.queue.changeCount() <= seen {
		return seen
	}
	batch, began, before, trace := r.current(), s.config.Now(), r.others, s.trace
	queued, left := s.takeOthers(seen)
	if len(queued.Changes) > 0 {
		s.applyChanges(queued)
	}
	s.trace, batch.turnBegan = trace, s.config.Now()
	r.others = before + batch.turnBegan.Sub(began)
	return left
}

// takeOthers takes the queued changes, except those of namespaces whose changes are applied or have taken long. While a large scope is translated,
// the other namespaces of the batch are not the cause.
func (s *Store) takeOthers(seen int) (others status.Batch, left int) {
	busy := map[string]bool{}
	for _, batch := range s.running.batches {
		for _, c := range batch.changes {
			if namespace := s.interruptedBy(c); !batch.translating || namespace == batch.rebuilt.key.Identity.Namespace {
				busy[namespace] = true
			}
		}
	}
	now := s.config.Now()
	for namespace := range s.changeShares.measured {
		if s.changeShares.shares.Used(namespace, now) >= slowUse {
			busy[namespace] = true
		}
	}
	delete(busy, "")
	repeated := s.running.repeatedNamespace()
	onlyPolicies := s.running.buildsNewScope()
	return s.queue.takeSome(seen, func(c catalog.Change) bool {
		return (!onlyPolicies || c.Ref.Kind.IsPolicy()) && !busy[s.interruptedBy(c)] && (repeated == "" || c.Ref.Name.Namespace != repeated)
	})
}

// interruptedBy is payerOf, but empty for all changes of pods: they interrupt what their namespace does too.
func (s *Store) interruptedBy(c catalog.Change) string {
	if c.Ref.Kind == entity.KindPod {
		return ""
	}
	return s.payerOf(c)
}

// repeatedNamespace returns the namespace of a scope that is translated again, because it has changed during a translation; empty if there is none. Its
// pods and endpoints must not change it for ever.
func (r *running) repeatedNamespace() string {
	if batch := r.current(); batch.translating && batch.translations > 0 {
		return batch.rebuilt.key.Identity.Namespace
	}
	return ""
}

// buildsNewScope reports whether a scope is built for the first time. Then no stream may move to it yet, which changes of pods and Services would cause.
func (r *running) buildsNewScope() bool {
	return slices.ContainsFunc(r.batches, func(b *runningBatch) bool { return b.translating && b.rebuilt.built == nil })
}

// notifyInterrupted records that the interrupted batches reach the streams of a scope too: the present batch rebuilds it for them.
func (s *Store) notifyInterrupted(n *scopeNode, changes *delta.Changes) {
	for _, batch := range s.running.batches {
		if _, remains := batch.remaining[n]; remains && batch.trace != s.trace {
			delete(batch.remaining, n)
			s.notifyStreams(n, changes, batch.trace)
		}
	}
}

// notifyPostponed records that batches whose changes of a scope had to wait reach its streams.
func (s *Store) notifyPostponed(n *scopeNode, changes *delta.Changes) {
	if batch := s.running.current(); batch != nil && batch.rebuilt == n {
		for _, other := range batch.included {
			s.notifyStreams(n, changes, other.trace)
		}
	}
}

// begin makes a batch the current one.
func (r *running) begin(b *runningBatch) { r.batches = append(r.batches, b) }

// endRunning ends the current batch, with which its policies have changed. They also reach the scopes that an interrupted batch has not rebuilt yet.
func (s *Store) endRunning() {
	r := &s.running
	ended := r.current()
	r.batches = r.batches[:len(r.batches)-1]
	if interrupted := r.current(); interrupted != nil {
		interrupted.policies = append(interrupted.policies, ended.policies...)
	}
	s.policies.SetChanged(ended.policies, s.config.Now())
}
