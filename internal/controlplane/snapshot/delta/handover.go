package delta

import (
	"maps"
	"time"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// While an Envoy drains because another one of its pod has taken over, it acknowledges a changed listener and does not apply it. It applies the
// removal of one, which ends the connections of the listener after its drain time. So a listener that takes something away from open connections is
// removed instead of updated, and is not sent again. Other updates are sent, so that the version that the client has always grants at least what is
// in force. A later comparison with that version finds all that is lost.

// Handover is what is known about another Envoy of the pod that takes over from the client.
type Handover struct {
	// Started is true if another Envoy of the pod has a later epoch.
	Started bool
	// Complete is true if that Envoy has had its whole configuration: it takes over soon, or has taken over.
	Complete bool
	// Earlier is true if it had its whole configuration before this stream, or another replica, reported it.
	Earlier bool
}

const (
	// handoverTime is how long it takes, at most, until a complete Envoy has taken over. Until then it is not known what the client applies.
	handoverTime = 5 * time.Second
	// handoverReport is how long it takes, at most, until a handover is known that another stream or replica reports: Envoys connect again after the
	// start of a replica, and replicas poll each other.
	handoverReport = time.Minute
	// returnTime is how long the later Envoy may be without a stream before the client counts as the one that serves.
	returnTime = 30 * time.Second
	// maxRecentUpdates is how many updates of listeners are remembered. After more, all listeners count as updated.
	maxRecentUpdates = 64
)

// handover is the state of a client whose pod may have another Envoy.
type handover struct {
	Handover
	// known is false until it is known whether there is another Envoy. Listeners wait for that.
	known bool
	// drainsAt is from when the client certainly drains, if the handover is complete; zero if it does.
	drainsAt time.Time
	// endsAt is when the client counts as the one that serves again; zero if the later Envoy is there.
	endsAt time.Time
	// held has the listeners that the client has while another Envoy is there, if they are known.
	held map[string]*resource.Content
	// inbound is the inbound listener that the client has, also while no other Envoy is there; nil if it is not known. Each client that gets a
	// permission changes it.
	inbound *resource.Content
	// updates has the listeners whose latest update may take something away, and when it was answered; zero while it is in flight.
	updates map[string]time.Time
	// updatedAll is when there were too many of them.
	updatedAll time.Time
	verdicts   map[string]verdict
}

// verdict is whether a listener takes something away from its predecessor.
type verdict struct {
	before, after resource.Version
	loses         bool
}

// awaitHandover causes listeners to wait until setHandover is called.
func (q *sequencer) awaitHandover() {
	if q.handover == nil {
		q.handover = &handover{}
	}
}

// setHandover records what is known about the later Envoy.
func (q *sequencer) setHandover(next Handover, snap Snapshot, now time.Time) {
	q.awaitHandover()
	current := q.handover
	q.captureInbound(snap)
	switch {
	case !next.Complete && current.Complete && current.drainsAt.IsZero():
		current.Started, current.known, current.endsAt = next.Started, true, now.Add(returnTime)
		return
	case !next.Complete && current.Complete:
		q.endHandover(now)
	}
	if next.Started && !current.Started {
		q.captureListeners(snap)
	}
	began := next.Complete && !current.Complete
	current.Handover, current.known, current.endsAt = next, true, time.Time{}
	if !next.Started && !next.Complete {
		current.held, current.verdicts = nil, nil
	}
	if began {
		q.beginDrain(now)
	}
}

// drains reports whether the client certainly drains.
func (t *handover) drains() bool { return t != nil && t.Complete && t.drainsAt.IsZero() }

// markDrain sends the draining cluster, or removes it.
func (q *sequencer) markDrain(now time.Time) {
	if q.drainingCluster != nil {
		q.types[resourcetype.Clusters].markDirty(q.drainingCluster.Name(), now)
	}
}

// detectDrain recognizes a client that drains by its clusters from an earlier stream, also if the later Envoy has no stream here yet.
func (q *sequencer) detectDrain(initial map[string]string, now time.Time) {
	if q.handover == nil || q.drainingCluster == nil {
		return
	}
	if _, drains := initial[q.drainingCluster.Name()]; !drains {
		return
	}
	if !q.handover.Complete {
		q.handover.endsAt = now.Add(returnTime)
	}
	q.handover.Complete, q.handover.Earlier, q.handover.drainsAt = true, true, time.Time{}
}

// captureInbound remembers the inbound listener that the client has.
func (q *sequencer) captureInbound(snap Snapshot) {
	version, known := q.types[resourcetype.Listeners].versions.get(envoy.InboundListener)
	if c, exists := snap.Content(resourcetype.Listeners, envoy.InboundListener); known && exists && c.Hash() == version {
		q.handover.inbound = c
	}
}

// captureListeners remembers the listeners that the client has.
func (q *sequencer) captureListeners(snap Snapshot) {
	if q.handover.held == nil {
		q.handover.held, q.handover.verdicts = map[string]*resource.Content{}, map[string]verdict{}
	}
	for name, version := range q.types[resourcetype.Listeners].versions.all() {
		if c, exists := snap.Content(resourcetype.Listeners, name); exists && c.Hash() == version {
			q.handover.held[name] = c
		}
	}
}

// beginDrain makes the updates count as not applied that the client may have received after its drain began.
func (q *sequencer) beginDrain(now time.Time) {
	current, since := q.handover, now.Add(-handoverTime)
	current.drainsAt = now.Add(handoverTime)
	if current.Earlier {
		current.drainsAt, since = time.Time{}, now.Add(-handoverReport)
		q.markDrain(now)
	}
	st := &q.types[resourcetype.Listeners]
	all := !current.updatedAll.IsZero() && !current.updatedAll.Before(since)
	for name, version := range st.versions.all() {
		at, updated := current.updates[name]
		if hasResource(version) && (all || updated && (at.IsZero() || !at.Before(since))) {
			st.versions.set(name, stateUnknown)
			st.markDirty(name, now)
		}
	}
	current.updates, current.updatedAll = nil, time.Time{}
}

// hasResource reports whether a client has the resource of a name with this version.
func hasResource(version resource.Version) bool {
	return !version.IsReserved() || version == stateUnknown
}

// passHandoverTimes ends the waits of a handover.
func (q *sequencer) passHandoverTimes(snap Snapshot, now time.Time) {
	current := q.handover
	if current == nil {
		return
	}
	if !current.drainsAt.IsZero() && !now.Before(current.drainsAt) {
		current.drainsAt = time.Time{}
		q.markDrain(now)
	}
	if !current.endsAt.IsZero() && !now.Before(current.endsAt) {
		q.endHandover(now)
		q.markTypeChanged(resourcetype.Listeners, snap, now)
	}
}

// endHandover makes the client the one that serves. It is sent the listeners that it lacks.
func (q *sequencer) endHandover(now time.Time) {
	current, st := q.handover, &q.types[resourcetype.Listeners]
	q.markDrain(now)
	*current = handover{Handover: Handover{Started: current.Started}, known: true, held: current.held, inbound: current.inbound, verdicts: current.verdicts}
	if !current.Started {
		current.held, current.verdicts = nil, nil
	}
	for name, version := range st.versions.all() {
		if version == stateRevoked {
			st.versions.set(name, stateUnsent)
			st.markDirty(name, now)
		}
	}
}

// decideHandover returns the action for a listener that exists, if it depends on a handover.
func (q *sequencer) decideHandover(version resource.Version, known bool, c *resource.Content) (action, bool) {
	current := q.handover
	isCurrent := version == c.Hash()
	switch {
	case current == nil || isCurrent:
		return actionNone, false
	case !current.known:
		return actionWait, true
	case !current.Complete:
		return actionNone, false
	case !known || !hasResource(version): // removed before, or new: an Envoy that drains does not apply new listeners either
		return actionNone, current.drainsAt.IsZero()
	case !q.losesGrant(c.Name(), version, c):
		return actionNone, false
	case !current.drainsAt.IsZero():
		return actionWait, true
	default:
		return actionRevoke, true
	}
}

// losesGrant reports whether a listener takes something away from the connections of a client that has another version. It is true if that is not known.
func (q *sequencer) losesGrant(name string, version resource.Version, c *resource.Content) bool {
	current := q.handover
	held := current.held[name]
	if held == nil && name == envoy.InboundListener {
		held = current.inbound
	}
	if held == nil || held.Hash() != version {
		return true
	}
	known, ok := current.verdicts[name]
	if current.verdicts == nil {
		current.verdicts = map[string]verdict{}
	}
	if !ok || known.before != version || known.after != c.Hash() {
		known = verdict{before: version, after: c.Hash(), loses: resource.LosesGrant(held, c)}
		current.verdicts[name] = known
	}
	return known.loses
}

// recordListener records that the client is sent a listener in place of another version. It is called before the version changes.
func (q *sequencer) recordListener(name string, version resource.Version, c *resource.Content, now time.Time) {
	current := q.handover
	if current == nil {
		return
	}
	if hasResource(version) && (current.held == nil && (name != envoy.InboundListener || current.inbound == nil) || q.losesGrant(name, version, c)) {
		current.recordUpdate(name, now)
	}
	if current.held != nil {
		current.held[name] = c
	}
	if name == envoy.InboundListener {
		current.inbound = c
	}
}

// isUnsure reports whether a client may receive a listener that takes something away after its drain began. The version says so, for the case that this stream
// ends before the listener is removed.
func (q *sequencer) isUnsure(res resource.Versioned) bool {
	current := q.handover
	if current == nil || !current.Started {
		return false
	}
	version, known := q.types[resourcetype.Listeners].versions.get(res.Name())
	return known && hasResource(version) && q.losesGrant(res.Name(), version, res.Content)
}

// reportUnsure records a listener that the client may not have applied, and returns its version, or none if the client drains.
func (q *sequencer) reportUnsure(name, version string, now time.Time) string {
	switch {
	case q.handover == nil:
	case q.handover.Complete:
		return ""
	default:
		q.handover.recordUpdate(name, now)
		q.handover.updates[name] = now
	}
	return version
}

func (t *handover) recordUpdate(name string, now time.Time) {
	if len(t.updates) >= maxRecentUpdates {
		t.forgetUpdates(now)
	}
	if len(t.updates) >= maxRecentUpdates {
		t.updatedAll = now
		return
	}
	if t.updates == nil {
		t.updates = map[string]time.Time{}
	}
	t.updates[name] = time.Time{}
}

// forgetUpdates forgets those that every client has applied.
func (t *handover) forgetUpdates(now time.Time) {
	maps.DeleteFunc(t.updates, func(_ string, at time.Time) bool { return !at.IsZero() && at.Before(now.Add(-handoverReport)) })
}

// recordListenersAnswered records when updates were answered.
func (q *sequencer) recordListenersAnswered(now time.Time) {
	if q.handover == nil {
		return
	}
	for name, at := range q.handover.updates {
		if at.IsZero() {
			q.handover.updates[name] = now
		}
	}
	q.handover.forgetUpdates(now)
	if len(q.handover.updates) == 0 {
		q.handover.updates = nil
	}
}

// recordRevoked records that a listener was removed because of what its successor takes away.
func (q *sequencer) recordRevoked(name string) {
	st := &q.types[resourcetype.Listeners]
	delete(st.dirty, name)
	st.bisector.Forget(name)
	st.versions.set(name, stateRevoked)
	delete(q.handover.held, name)
	delete(q.handover.verdicts, name)
}
