package delta

import (
	"iter"
	"time"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// Envoy counts a NACK as an answer. A new proxy that rejects its first routes would report ready, receive requests, and answer
// them with 404. So a new client is sent one more cluster, and its bootstrap reports not ready while it has that cluster. The
// cluster is removed after the client has accepted everything. A client that reconnects without the cluster was ready before and
// is not sent it.

// readinessSnapshot is a Snapshot with the readiness cluster.
type readinessSnapshot struct {
	Snapshot
	cluster *resource.Content
}

// Content implements Snapshot.
func (s readinessSnapshot) Content(t resourcetype.Type, name string) (*resource.Content, bool) {
	if t == resourcetype.Clusters && name == s.cluster.Name() {
		return s.cluster, true
	}
	return s.Snapshot.Content(t, name)
}

// Names implements Snapshot.
func (s readinessSnapshot) Names(t resourcetype.Type) iter.Seq[string] {
	if t != resourcetype.Clusters {
		return s.Snapshot.Names(t)
	}
	return func(yield func(string) bool) {
		if !yield(s.cluster.Name()) {
			return
		}
		s.Snapshot.Names(t)(yield)
	}
}

func (q *sequencer) withReadinessCluster(snap Snapshot) Snapshot {
	if q.readinessCluster == nil {
		return snap
	}
	return readinessSnapshot{snap, q.readinessCluster}
}

// detectReadiness ends the use of the readiness cluster if the client reconnects without it. Initial are its clusters.
func (q *sequencer) detectReadiness(initial map[string]string) {
	if q.readinessCluster == nil || len(initial) == 0 {
		return
	}
	if _, ok := initial[q.readinessCluster.Name()]; !ok {
		q.readinessCluster = nil
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
