package delta

import (
	"iter"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// A sidecar that loads destinations on demand asks for a cluster by name at the first connection, once. So a name that a client has asked for stays subscribed
// until the client unsubscribes from it, and it always gets an answer: without a destination, a cluster without endpoints. What a client asks for is bounded by
// the destinations that exist, and by maxUnknownDestinations: nothing remains of names that are left or refused.

// maxUnknownDestinations is how many names without a destination a client has, at most. An application may try any number of addresses. Others get no
// answer, and connections to them fail after the timeout of the client, until it starts again.
const maxUnknownDestinations = 512

// recountInterval is the least time between two counts of such names.
const recountInterval = time.Second

// destinations has what a client has asked for.
type destinations struct {
	// unknown is an upper bound of the number of names without a destination, and countedAt is when it was exact.
	unknown   int
	countedAt time.Time
	// refused is how many names got no answer, and unanswerable how many got a cluster without endpoints, since the last request.
	refused, unanswerable int
	// asked receives each name that the client asks for, or has from an earlier stream, and whether it has a destination. released receives each of them that
	// the client does not have any more. nil for nobody.
	asked    func(name string, exists bool)
	released func(name string)
}

// isUnknownDestination reports whether a name is one that clients ask for, and has no destination.
func isUnknownDestination(t resourcetype.Type, name string, snap Snapshot) bool {
	return t == resourcetype.Clusters && scope.IsOnDemandName(name) && !snap.HasEndpoints(name)
}

// admitDestination reports whether a name may be recorded, and records what is asked for.
func (q *sequencer) admitDestination(t resourcetype.Type, name string, snap Snapshot, now time.Time) bool {
	if t != resourcetype.Clusters || !scope.IsOnDemandName(name) {
		return true
	}
	if _, isDestination := scope.ParseOnDemandName(name); !isDestination || !snap.LoadsOnDemand() {
		q.destinations.refused++
		return false
	}
	_, known := q.types[t].versions.get(name)
	exists := snap.HasEndpoints(name)
	if !exists && !known && !q.admitUnknown(snap, now) {
		return false
	}
	if q.destinations.asked != nil {
		q.destinations.asked(name, exists)
	}
	return true
}

// admitUnknown reports whether a name without a destination may be recorded.
func (q *sequencer) admitUnknown(snap Snapshot, now time.Time) bool {
	d := &q.destinations
	if d.unknown >= maxUnknownDestinations {
		q.recountUnknown(snap, now)
	}
	if d.unknown >= maxUnknownDestinations {
		d.refused++
		return false
	}
	d.unknown++
	d.unanswerable++
	return true
}

// takeCounts returns how many names got no answer, and how many got a cluster without endpoints, since the last call.
func (d *destinations) takeCounts() (refused, unanswerable int) {
	refused, unanswerable = d.refused, d.unanswerable
	d.refused, d.unanswerable = 0, 0
	return refused, unanswerable
}

// recountUnknown counts the names that still have no destination.
func (q *sequencer) recountUnknown(snap Snapshot, now time.Time) {
	d := &q.destinations
	if now.Sub(d.countedAt) < recountInterval {
		return
	}
	d.unknown, d.countedAt = 0, now
	for name := range q.types[resourcetype.Clusters].versions.all() {
		if isUnknownDestination(resourcetype.Clusters, name, snap) {
			d.unknown++
		}
	}
}

// load causes destinations to be sent that the client has not asked for, and returns their names. Those that do not exist are left out.
func (q *sequencer) load(names map[string]struct{}, snap Snapshot, now time.Time) (loaded []string) {
	st := &q.types[resourcetype.Clusters]
	for name := range names {
		if _, known := st.versions.get(name); known || !snap.HasEndpoints(name) {
			continue
		}
		name = canonicalName(resourcetype.Clusters, name, snap)
		st.versions.set(name, stateUnsent)
		st.markDirty(name, now)
		loaded = append(loaded, name)
	}
	return loaded
}

// forgetName removes a name that the client does not have any more.
func (q *sequencer) forgetName(t resourcetype.Type, name string) {
	q.types[t].versions.remove(name)
	if t == resourcetype.Clusters && scope.IsOnDemandName(name) && q.destinations.released != nil {
		q.destinations.released(name)
	}
}

// countOthers counts the names that are not those of destinations. A client keeps all names that its application has tried.
func countOthers(names iter.Seq[string]) int {
	count := 0
	for name := range names {
		if !scope.IsOnDemandName(name) {
			count++
		}
	}
	return count
}
