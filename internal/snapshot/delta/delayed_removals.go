package delta

import (
	"time"

	"github.com/openservicemesh/osm-operator/internal/envoy"
	"github.com/openservicemesh/osm-operator/internal/snapshot/resource"
)

// removalDelay is how long a client keeps the cluster of an authorization server or a rate limit service that nothing refers to any more. Envoy
// aborts decisions in progress when it removes the cluster, which fails their requests.
const removalDelay = 30 * time.Second

// delayRemoval reports whether the removal of a cluster still waits for decisions in progress. The first call for a name starts the wait.
func (q *sequencer) delayRemoval(t resource.Type, name string, now time.Time) bool {
	if t != resource.Clusters || !envoy.IsDecisionServer(name) {
		return false
	}
	due, waits := q.removalsDue[name]
	if !waits {
		due = now.Add(removalDelay)
		if q.removalsDue == nil {
			q.removalsDue = map[string]time.Time{}
		}
		q.removalsDue[name] = due
	}
	if now.Before(due) {
		return true
	}
	delete(q.removalsDue, name)
	return false
}

// endRemovalDelays marks clusters whose removal is due, and forgets those that are used again.
func (q *sequencer) endRemovalDelays(snap Snapshot, now time.Time) {
	for name, due := range q.removalsDue {
		if _, used := snap.Content(resource.Clusters, name); used {
			delete(q.removalsDue, name)
		} else if !now.Before(due) {
			q.types[resource.Clusters].markDirty(name, now)
		}
	}
}
