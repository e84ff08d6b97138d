package delta

import (
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// removalDelay is how long a client keeps some clusters that nothing refers to any more, see outlivesReferences. It is the drain time of
// connections.
const removalDelay = 30 * time.Second

// outlivesReferences reports whether connections that are drained may use a cluster after its removal. Envoy aborts decisions of authorization
// servers and rate limit services in progress with their cluster, which fails the requests. The destinations of an earlier Egress remain allowed
// if all destinations outside the mesh are; otherwise its clusters are removed at once, so that nothing reaches them.
func outlivesReferences(snap Snapshot, name string) bool {
	if envoy.IsOutside(name) {
		_, allAllowed := snap.Content(resourcetype.Clusters, envoy.PassthroughCluster)
		return allAllowed
	}
	return envoy.IsDecisionServer(name)
}

// delayRemoval reports whether the removal of a cluster still waits for connections that are drained. The first call for a name starts the wait.
func (q *sequencer) delayRemoval(snap Snapshot, t resourcetype.Type, name string, now time.Time) bool {
	if t != resourcetype.Clusters {
		return false
	}
	if !outlivesReferences(snap, name) {
		delete(q.removalsDue, name)
		return false
	}
	due, waits := q.removalsDue[name]
	if waits && due.IsZero() {
		delete(q.removalsDue, name)
		return false
	}
	if !waits {
		if q.removalsDue == nil {
			q.removalsDue = map[string]time.Time{}
		}
		q.removalsDue[name] = now.Add(removalDelay)
	}
	return true
}

// endRemovalDelays ends the waits of clusters whose removal is due, or that nothing may use any more, and forgets those that are used again or
// that the client does not have. A wait that has ended has no time, because the removal may be blocked by other resources.
func (q *sequencer) endRemovalDelays(snap Snapshot, now time.Time) {
	clusters := &q.types[resourcetype.Clusters]
	for name, due := range q.removalsDue {
		_, used := snap.Content(resourcetype.Clusters, name)
		_, known := clusters.versions.get(name)
		switch {
		case used || !known:
			delete(q.removalsDue, name)
		case due.IsZero():
		case !now.Before(due) || !outlivesReferences(snap, name):
			q.removalsDue[name] = time.Time{}
			clusters.markDirty(name, now)
		}
	}
}
