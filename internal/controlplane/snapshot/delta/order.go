package delta

import (
	"iter"
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// canAdd reports whether additions of a type may be sent now. Routes wait for the clusters and endpoints that they may refer to.
// Listeners also wait for the routes that the client subscribes to: a filter chain that is added while its predecessor drains uses
// the routes of the predecessor, and these must not be outdated.
func (q *sequencer) canAdd(t resourcetype.Type, snap Snapshot, now time.Time) bool {
	switch t {
	case resourcetype.Listeners:
		return q.hasClusters(snap, now) && !q.hasAdditions(resourcetype.Routes, snap, now)
	case resourcetype.Routes:
		return q.hasClusters(snap, now)
	default:
		return true
	}
}

// hasClusters reports whether the client has all clusters of the snapshot, with their endpoints and secrets.
func (q *sequencer) hasClusters(snap Snapshot, now time.Time) bool {
	for _, t := range []resourcetype.Type{resourcetype.Secrets, resourcetype.Clusters} {
		if q.types[t].inFlight != "" || q.hasAdditions(t, snap, now) {
			return false
		}
	}
	for name := range q.warming {
		if snap.HasEndpoints(name) {
			return false
		}
		delete(q.warming, name)
	}
	return true
}

// canRemove reports whether removals of a type may be sent now: after the client has acknowledged everything that may have
// referred to the removed resources. Listeners are removed together with the additions that replace them.
func (q *sequencer) canRemove(t resourcetype.Type, snap Snapshot, now time.Time) bool {
	switch t {
	case resourcetype.Listeners:
		return q.canAdd(t, snap, now)
	case resourcetype.Routes, resourcetype.Extensions:
		return q.isSynced(resourcetype.Listeners, snap, now)
	case resourcetype.Clusters:
		return q.isSynced(resourcetype.Listeners, snap, now) && q.isSynced(resourcetype.Routes, snap, now)
	case resourcetype.Endpoints:
		return q.isSynced(resourcetype.Clusters, snap, now)
	default:
		return q.isSynced(resourcetype.Listeners, snap, now) && q.isSynced(resourcetype.Clusters, snap, now)
	}
}

// holdsClusters reports whether the client may wait for an answer of the type before it acknowledges its clusters. Envoy does so, and asks for no
// other clusters, until all of them are warm, with their endpoints and secrets. Those of a cluster that is gone already must not wait for the
// acknowledgement.
func (q *sequencer) holdsClusters(t resourcetype.Type) bool {
	return (t == resourcetype.Endpoints || t == resourcetype.Secrets) && q.types[resourcetype.Clusters].inFlight != ""
}

// isSynced reports whether the client has acknowledged exactly the snapshot's resources of a type. A client that reconnects may
// have resources of a type that it has not requested yet.
func (q *sequencer) isSynced(t resourcetype.Type, snap Snapshot, now time.Time) bool {
	st := &q.types[t]
	if !st.requested {
		return !q.resumed
	}
	return st.inFlight == "" && !st.rejected && !st.bisector.HasRejected() &&
		!q.hasAction(t, snap, now, func(a action) bool { return a != actionNone })
}

func (q *sequencer) hasAdditions(t resourcetype.Type, snap Snapshot, now time.Time) bool {
	return q.hasAction(t, snap, now, func(a action) bool { return a == actionAdd || a == actionWait })
}

// hasAction reports whether a dirty name of a requested type needs an action that matches.
func (q *sequencer) hasAction(t resourcetype.Type, snap Snapshot, now time.Time, matches func(action) bool) bool {
	st := &q.types[t]
	if !st.requested {
		return false
	}
	for name := range st.dirty {
		if action, _ := q.decide(t, name, snap, now); matches(action) {
			return true
		}
	}
	return false
}

// isOverdue reports whether a wait has reached ackTimeout.
func isOverdue(since, now time.Time) bool {
	return !since.IsZero() && !now.Before(since.Add(ackTimeout))
}

// updateBlockedSince starts, keeps or ends a wait.
func updateBlockedSince(since *time.Time, blocked bool, now time.Time) {
	switch {
	case !blocked:
		*since = time.Time{}
	case since.IsZero():
		*since = now
	}
}

// namesToSend returns the names that the next response of a type may have, in order.
//
// After a listener is removed, its open connections follow the listener that binds the port: they are closed, or served by a new
// filter chain of it. Envoy removes listeners before it updates others. So if listeners are only removed, an update of a listener
// that binds a port is sent alone, and the removals follow its acknowledgement.
func (q *sequencer) namesToSend(t resourcetype.Type, snap Snapshot, now time.Time) []string {
	// Iterators would allocate three times for each response.
	names := make([]string, 0, len(q.types[t].dirty))
	for name := range q.types[t].dirty {
		names = append(names, name)
	}
	slices.Sort(names) // makes responses deterministic
	if t != resourcetype.Listeners {
		return names
	}
	var binding []string
	adds, removes := false, false
	for _, name := range names {
		action, res := q.decide(t, name, snap, now)
		if action == actionAdd && res.BindsPort() {
			binding = append(binding, name)
			continue
		}
		adds = adds || action == actionAdd
		removes = removes || action == actionRemove
	}
	if len(binding) > 0 && removes && !adds {
		return binding
	}
	return names
}

// removalDelay is how long a client keeps some clusters that nothing refers to any more, see outlivesReferences.
const removalDelay = names.DrainTime

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

// Envoy counts a NACK as an answer. A new proxy that rejects its first routes would report ready, receive requests, and answer
// them with 404. So a new client is sent one more cluster, and its bootstrap reports not ready while it has that cluster. The
// cluster is removed after the client has accepted everything. A client that reconnects without the cluster was ready before and
// is not sent it.

// ownClusters is a Snapshot with clusters that only this client has.
type ownClusters struct {
	Snapshot
	clusters []*resource.Content
}

// Content implements Snapshot.
func (s ownClusters) Content(t resourcetype.Type, name string) (*resource.Content, bool) {
	if t == resourcetype.Clusters {
		for _, c := range s.clusters {
			if c.Name() == name {
				return c, true
			}
		}
	}
	return s.Snapshot.Content(t, name)
}

// Names implements Snapshot.
func (s ownClusters) Names(t resourcetype.Type) iter.Seq[string] {
	if t != resourcetype.Clusters {
		return s.Snapshot.Names(t)
	}
	return func(yield func(string) bool) {
		for _, c := range s.clusters {
			if !yield(c.Name()) {
				return
			}
		}
		s.Snapshot.Names(t)(yield)
	}
}

func (q *sequencer) withOwnClusters(snap Snapshot) Snapshot {
	var own []*resource.Content
	if q.readinessCluster != nil {
		own = append(own, q.readinessCluster)
	}
	if q.drainingCluster != nil && q.handover.drains() {
		own = append(own, q.drainingCluster)
	}
	if len(own) == 0 {
		return snap
	}
	return ownClusters{snap, own}
}

// detectReadiness ends the use of the readiness cluster if the client reconnects without it. Initial are its clusters.
func (q *sequencer) detectReadiness(initial map[string]string) {
	if q.readinessCluster == nil || len(initial) == 0 {
		return
	}
	if _, ok := initial[q.readinessCluster.Name()]; !ok {
		q.readinessCluster, q.readyBefore = nil, true
	}
}

// completeReadiness removes the readiness cluster if the client uses everything that it was sent. The caller has nothing else to
// send.
func (q *sequencer) completeReadiness(snap Snapshot, now time.Time) bool {
	if q.readinessCluster == nil || !q.usesAll(snap, now) {
		return false
	}
	q.types[resourcetype.Clusters].markDirty(q.readinessCluster.Name(), now)
	q.readinessCluster, q.routesMissingSince = nil, time.Time{}
	return true
}

// usesAll reports whether the client has accepted the whole snapshot. It subscribes to routes last, after it has acknowledged the
// listeners. A client that does not subscribe to some routes counts as ready after ackTimeout.
func (q *sequencer) usesAll(snap Snapshot, now time.Time) bool {
	if !q.types[resourcetype.Clusters].requested || !q.types[resourcetype.Listeners].requested {
		return false
	}
	for _, t := range []resourcetype.Type{resourcetype.Secrets, resourcetype.Extensions, resourcetype.Clusters, resourcetype.Listeners, resourcetype.Routes} {
		if q.types[t].requested && !q.isSynced(t, snap, now) {
			return false
		}
	}
	missing := false
	for name := range snap.Names(resourcetype.Routes) {
		version, _ := q.types[resourcetype.Routes].versions.get(name)
		missing = missing || version.IsReserved()
	}
	updateBlockedSince(&q.routesMissingSince, missing, now)
	return !missing || isOverdue(q.routesMissingSince, now)
}

// hadAll reports whether the client has had its whole configuration: the readiness cluster is removed. Pending is what is not answered. The readiness
// cluster covers routes and secrets; clients that are not sent it are not Envoys of this mesh.
func (q *sequencer) hadAll(pending *[resourcetype.NumTypes]time.Time) bool {
	for _, t := range []resourcetype.Type{resourcetype.Clusters, resourcetype.Listeners} {
		if !pending[t].IsZero() || q.types[t].rejected {
			return false
		}
	}
	return q.readinessCluster == nil
}
