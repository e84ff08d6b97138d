package delta

import (
	"iter"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// A sidecar that loads destinations on demand asks for a cluster by name at the first connection, once in its life: Envoy since 1.38 does not ask again, even
// after the cluster was removed. It stays subscribed, so the name must be sent when its destination comes to exist. Without a destination, the answer is a
// stub: a cluster without endpoints, which fails requests at once.
//
// A client has at most maxStubs of them. Then the oldest is removed for a new one, and its name is forgotten: the stream remembers forgotten names
// in a filter of fixed size, and sends them when they come to exist. Meanwhile requests to them wait for the timeout of the client, and fail. So an application
// that tries any number of addresses, and one that has called thousands of Services that are deleted, have the Services that exist, and use bounded memory.

// maxStubs is how many names without a destination a client has, at most. An application may try any number of addresses.
const maxStubs = 512

// destinations has what a client has asked for.
type destinations struct {
	stubs stubs
	// withdrawn are the names whose stubs are being removed. There are at most maxStubs.
	withdrawn map[string]struct{}
	counts    destinationCounts
	// recorded receives each name that the client is recorded to have. released receives each of them that the client does not have any more, and forgotten
	// those names that it may still be subscribed to. nil for nobody.
	recorded            func(name string, origin origin, exists bool)
	released, forgotten func(name string)
}

// destinationCounts are events since the last request.
type destinationCounts struct {
	// refused is how many names got no answer, unanswerable how many got a stub, and withdrawn how many stubs were removed for others.
	refused, unanswerable, withdrawn int
}

// origin is how a client comes to have a destination.
type origin uint8

const (
	// originReported is a cluster from an earlier stream. The client may have got it without a subscription.
	originReported origin = iota
	// originResubscribed is a subscription in the first request of a stream: the client has asked for it on an earlier stream, or just now.
	originResubscribed
	// originAsked is a subscription in a later request: the client needs it now.
	originAsked
)

// originOf returns the origin of a subscription.
func originOf(firstRequest bool) origin {
	if firstRequest {
		return originResubscribed
	}
	return originAsked
}

// isUnknownDestination reports whether a name is one that clients ask for, and has no destination.
func isUnknownDestination(t resourcetype.Type, name string, snap Snapshot) bool {
	return t == resourcetype.Clusters && scope.IsOnDemandName(name) && !snap.HasEndpoints(name)
}

// admitDestination reports whether a name may be recorded, and records what the client asks for.
func (q *sequencer) admitDestination(t resourcetype.Type, name string, origin origin, snap Snapshot, now time.Time) bool {
	if t != resourcetype.Clusters || !scope.IsOnDemandName(name) {
		return true
	}
	d := &q.destinations
	if _, isDestination := scope.ParseOnDemandName(name); !isDestination || !snap.LoadsOnDemand() {
		d.counts.refused++
		return false
	}
	_, known := q.types[t].versions.get(name)
	exists := snap.HasEndpoints(name)
	if !exists && !known && !q.makeRoom(origin, snap, now) {
		d.counts.refused++
		d.forget(name)
		return false
	}
	delete(d.withdrawn, name)
	q.recordDestination(t, name, snap)
	if !exists && !known {
		d.counts.unanswerable++
	}
	if d.recorded != nil {
		d.recorded(name, origin, exists)
	}
	return true
}

// recordDestination records whether a name that the client has, or is about to have, is a stub.
func (q *sequencer) recordDestination(t resourcetype.Type, name string, snap Snapshot) {
	switch {
	case t != resourcetype.Clusters || !scope.IsOnDemandName(name):
	case snap.HasEndpoints(name):
		q.destinations.stubs.remove(name)
		delete(q.destinations.withdrawn, name)
	default:
		q.destinations.stubs.add(name)
	}
}

// makeRoom reports whether there is room for one more stub. It withdraws the oldest one, if the client has it: of names that are asked for faster than they are
// answered, the first ones stay. So do those that the client reports, in any order, at the beginning of a stream.
func (q *sequencer) makeRoom(origin origin, snap Snapshot, now time.Time) bool {
	d := &q.destinations
	for d.stubs.len() >= maxStubs {
		oldest := d.stubs.oldest()
		if snap.HasEndpoints(oldest) { // it exists again, and is about to be sent
			d.stubs.remove(oldest)
			continue
		}
		version, _ := q.types[resourcetype.Clusters].versions.get(oldest)
		if origin != originAsked || version == stateUnsent || len(d.withdrawn) >= maxStubs {
			return false
		}
		q.withdrawStub(oldest, now)
	}
	return true
}

// withdrawStub causes a stub to be removed.
func (q *sequencer) withdrawStub(name string, now time.Time) {
	d := &q.destinations
	d.stubs.remove(name)
	if d.withdrawn == nil {
		d.withdrawn = map[string]struct{}{}
	}
	d.withdrawn[name] = struct{}{}
	d.counts.withdrawn++
	q.types[resourcetype.Clusters].markDirty(name, now)
}

// isWithdrawn reports whether the client should not have a stub any more.
func (q *sequencer) isWithdrawn(t resourcetype.Type, name string, snap Snapshot) bool {
	return q.destinations.isLeaving(t, name) && !snap.HasEndpoints(name)
}

// isLeaving reports whether a name is withdrawn, and the client may still have it.
func (d *destinations) isLeaving(t resourcetype.Type, name string) bool {
	if t != resourcetype.Clusters || len(d.withdrawn) == 0 {
		return false
	}
	_, withdrawn := d.withdrawn[name]
	return withdrawn
}

// keepExisting ends the removal of a stub whose destination exists again as the client has it.
func (q *sequencer) keepExisting(t resourcetype.Type, name string, snap Snapshot) {
	if q.destinations.isLeaving(t, name) && snap.HasEndpoints(name) {
		delete(q.destinations.withdrawn, name)
	}
}

// forget records a name that the client may be subscribed to, and that is not recorded otherwise.
func (d *destinations) forget(name string) {
	if d.forgotten != nil {
		d.forgotten(name)
	}
}

// takeCounts returns the events since the last call.
func (d *destinations) takeCounts() destinationCounts {
	counts := d.counts
	d.counts = destinationCounts{}
	return counts
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
	if t != resourcetype.Clusters || !scope.IsOnDemandName(name) {
		return
	}
	d := &q.destinations
	d.stubs.remove(name)
	if d.released != nil {
		d.released(name)
	}
	if d.isLeaving(t, name) {
		delete(d.withdrawn, name)
		d.forget(name)
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
