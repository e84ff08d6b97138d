package snapshot

import (
	"maps"
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/timeshare"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// A change of one namespace may rebuild the configuration of sidecars in many others, which takes time that all share. So namespaces whose changes are
// slow get a share of the time, and wait once they have used it. What all do meanwhile waits for one scope of them at most.

const (
	// slowBatch is how long a batch takes whose namespaces are measured for watchTime.
	slowBatch = 100 * time.Millisecond
	watchTime = time.Minute
	// The changes of a measured namespace take this time of the Store's goroutine.
	changesBurst   = 5 * time.Second
	changesPercent = 25
	changesWait    = 20 * time.Second
)

// changeShares decides when changes are applied. It belongs to the Store's goroutine.
type changeShares struct {
	shares *timeshare.Shares
	// suspects counts the time of batches that are not measured, in equal parts for their namespaces. Nobody waits because of it.
	suspects *timeshare.Shares
	// measured are the namespaces with batches of their own, each until a time.
	measured map[string]time.Time
	// waiting has the changes of namespaces that have used their time, and changes counts them.
	waiting map[string]*queue
	changes int
}

func newChangeShares() changeShares {
	limits := timeshare.Limits{Burst: changesBurst, Percent: changesPercent, MaxWait: changesWait}
	return changeShares{
		shares: timeshare.New(limits), suspects: timeshare.New(limits),
		measured: map[string]time.Time{}, waiting: map[string]*queue{},
	}
}

// applyChanges applies a batch, except changes of namespaces that have to wait.
func (s *Store) applyChanges(b status.Batch) {
	x := &s.changeShares
	if len(x.measured) == 0 {
		s.applyShared(b)
		return
	}
	common, apart := b, map[string]*status.Batch{}
	common.Changes = nil
	for _, c := range b.Changes {
		namespace := s.payerOf(c)
		if namespace == "" {
			s.dropWaiting(c.Ref)
		}
		if _, isMeasured := x.measured[namespace]; !isMeasured {
			common.Changes = append(common.Changes, c)
			continue
		}
		if apart[namespace] == nil {
			apart[namespace] = &status.Batch{QueuedAt: b.QueuedAt, Ingest: b.Ingest}
		}
		apart[namespace].Changes = append(apart[namespace].Changes, c)
	}
	s.applyShared(common)
	for _, namespace := range slices.Sorted(maps.Keys(apart)) {
		s.applyInTurn(namespace, *apart[namespace])
	}
}

// payerOf returns the namespace whose time a change takes; empty for changes that do not wait: those of endpoints, and of pods that begin or end, which are
// cheap and urgent, and those of administrators.
func (s *Store) payerOf(c catalog.Change) string {
	namespace := c.Ref.Name.Namespace
	switch c.Ref.Kind {
	case entity.KindService, entity.KindGateway, entity.KindReferenceGrant:
	case entity.KindPod:
		if !s.isEdited(c) {
			return ""
		}
	default:
		if !c.Ref.Kind.IsPolicy() {
			return ""
		}
	}
	if namespace == s.catalog.View().Settings().Namespace {
		return ""
	}
	return namespace
}

// isEdited reports whether a change of a pod is one of its metadata, such as labels: their owner makes as many as he likes, and each can select other Services.
// The states that Kubernetes reports are urgent.
func (s *Store) isEdited(c catalog.Change) bool {
	after, ok := c.Entry.(*inventory.Instance)
	before := s.catalog.View().Pod(c.Ref.Name)
	return ok && before != nil && before.ID == after.ID && before.Finished == after.Finished && before.Terminating == after.Terminating &&
		before.NodeUnreachable == after.NodeUnreachable && slices.Equal(before.IPs, after.IPs)
}

// dropWaiting forgets an earlier change of an object, which waits, for a later one that does not.
func (s *Store) dropWaiting(ref entity.Ref) {
	q := s.changeShares.waiting[ref.Name.Namespace]
	if q == nil || ref.Kind != entity.KindPod {
		return
	}
	before := q.changeCount()
	_, left := q.takeSome(0, func(c catalog.Change) bool { return c.Ref == ref })
	s.countWaiting(left - before)
}

// applyShared applies changes of any namespaces. If that takes long, at once or together with earlier batches, those that may be the cause are measured from
// now on.
func (s *Store) applyShared(b status.Batch) {
	namespaces := map[string]bool{}
	for _, c := range b.Changes {
		namespaces[s.payerOf(c)] = true
	}
	spent := s.applyTimed(b)
	if len(namespaces) == 0 || !s.synced.Load() {
		return
	}
	x, now, isAlone, part := &s.changeShares, s.config.Now(), len(namespaces) == 1, spent/time.Duration(len(namespaces))
	delete(namespaces, "")
	for namespace := range namespaces {
		x.suspects.Charge(namespace, part, now)
		if spent >= slowBatch || x.suspects.Used(namespace, now) >= slowUse {
			x.measured[namespace] = now.Add(watchTime)
		}
		if isAlone && spent >= slowBatch {
			x.shares.Charge(namespace, spent, now)
		}
	}
}

// applyTimed applies a batch and returns how long that took, without the batches that have interrupted it.
func (s *Store) applyTimed(b status.Batch) time.Duration {
	began, others := s.config.Now(), s.running.others
	s.applyBatch(b)
	return s.config.Now().Sub(began) - (s.running.others - others)
}

// applyInTurn applies changes of a measured namespace, or lets them wait.
func (s *Store) applyInTurn(namespace string, b status.Batch) {
	x := &s.changeShares
	began := s.config.Now()
	if x.waiting[namespace] != nil {
		s.addWaiting(namespace, b)
		return
	}
	if wait := x.shares.Wait(namespace, began); wait > 0 {
		s.config.Log.Info("Changes of a namespace wait, because the last ones took long: they affect the configuration of many sidecars",
			"namespace", namespace, "wait", wait.String())
		x.waiting[namespace] = newQueue()
		s.addWaiting(namespace, b)
		s.runAfter(wait, func() { s.applyWaiting(namespace) })
		return
	}
	spent := s.applyTimed(b)
	now := s.config.Now()
	x.shares.Charge(namespace, spent, now)
	if spent >= slowBatch {
		x.measured[namespace] = now.Add(watchTime)
	}
}

// addWaiting adds changes to those that wait. Of several changes of one object the last one counts.
func (s *Store) addWaiting(namespace string, b status.Batch) {
	q := s.changeShares.waiting[namespace]
	before := q.changeCount()
	q.addChanges(b.Changes, b.QueuedAt)
	s.countWaiting(q.changeCount() - before)
}

// applyWaiting applies the changes of a namespace that have waited.
func (s *Store) applyWaiting(namespace string) {
	q := s.changeShares.waiting[namespace]
	delete(s.changeShares.waiting, namespace)
	b := q.takeChanges()
	s.countWaiting(-len(b.Changes))
	s.applyInTurn(namespace, b)
}

func (s *Store) countWaiting(change int) {
	s.changeShares.changes += change
	s.metrics.delayed.Set(float64(s.changeShares.changes))
}

// prune forgets namespaces whose changes are not slow any more.
func (x *changeShares) prune(now time.Time) {
	maps.DeleteFunc(x.measured, func(namespace string, end time.Time) bool { return now.After(end) && x.waiting[namespace] == nil })
	x.shares.Prune(now)
	x.suspects.Prune(now)
}
