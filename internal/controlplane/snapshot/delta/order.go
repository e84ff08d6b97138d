package delta

import (
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
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
	names := sortedNames(q.types[t].dirty)
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
