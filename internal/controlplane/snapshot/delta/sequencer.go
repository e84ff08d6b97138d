package delta

import (
	"errors"
	"time"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/quarantine"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// States of a name in typeState.versions that are not versions. All are reserved.
var (
	// stateUnsent: the client subscribed to the name and waits for an answer.
	stateUnsent = resource.Reserved(0)
	// stateAbsent: a response to the client said that the resource does not exist. The client never had it.
	stateAbsent = resource.Reserved(1)
	// stateRemoved: the client had the resource, and a response removed it.
	stateRemoved = resource.Reserved(2)
	// stateEmptyRoutes: the client was sent an empty route configuration in place of a missing one.
	stateEmptyRoutes = resource.Reserved(3)
	// stateReported: the client reported a certificate from an earlier stream, which may still be usable.
	stateReported = resource.Reserved(4)
	// stateUnknown: the client has a version that this control plane did not create.
	stateUnknown = resource.Reserved(5)
	// stateForgotten is an exception for a name in the base that the client does not have.
	stateForgotten = resource.Reserved(6)
	// stateRevoked: the client drains, and a listener was removed because its successor takes something away from connections.
	stateRevoked = resource.Reserved(7)
)

// Limits of the sequencer.
const (
	// ackTimeout is how long a response waits for the acknowledgement of another one that it depends on. Then it is sent anyway.
	ackTimeout = 5 * time.Second
	// maxResponseBytes is the size above which a response is divided. gRPC clients reject messages over 4 MiB.
	maxResponseBytes = 3 << 20
)

// sequencer is the state machine of one stream. Requests, changed names and the time flow in; responses flow out.
//
// At most one response of each type is in flight. Changes during that time are merged: only names are recorded, and the content
// is looked up when it is sent.
type sequencer struct {
	types [resourcetype.NumTypes]typeState
	// warming has the sent clusters whose endpoints are not acknowledged. The value is the nonce of the response with the
	// endpoints; empty before it is sent.
	warming map[string]string
	// removalsDue has clusters that are not referred to any more, and when they are removed; zero for as soon as possible.
	removalsDue map[string]time.Time
	// reportedCertificate is the version of the certificate from an earlier stream. The client keeps it until certificateReusableUntil;
	// zero if it does not.
	reportedCertificate      string
	certificateReusableUntil time.Time
	drains                   drains
	destinations             destinations
	nonce                    uint64
	// exchangedAt is when the last response was sent or answered.
	exchangedAt time.Time
	// started is true after the first request, and resumed after one with versions from an earlier stream.
	started, resumed bool
	// readinessCluster is sent until the client uses everything that it was sent; nil afterwards.
	readinessCluster *resource.Content
	// routesMissingSince is since when only subscriptions to routes are missing for that; zero if something else is missing.
	routesMissingSince time.Time
	// readyBefore is true if the client was ready on an earlier stream.
	readyBefore bool
	undivided   bool
	// drainingCluster is sent to a client that drains; nil for none.
	drainingCluster *resource.Content
	// handover is nil for a client whose pod has one Envoy only.
	handover *handover
}

// typeState is the state of one resource type.
type typeState struct {
	// requested is true after the first request of the type.
	requested bool
	// wildcard is true if the client subscribes to all resources of the type.
	wildcard bool
	// responseDue is true if the client waits for a response even if it is empty.
	responseDue bool
	// versions has the last sent version, or a state, of each name that was sent or subscribed to.
	versions versions
	// dirty has names whose version may differ from the snapshot, and dirtySince is the time of the oldest change.
	dirty      map[string]struct{}
	dirtySince time.Time

	// inFlight is the nonce of the response without an answer; empty if there is none. inFlightSince was its dirtySince.
	inFlight      string
	inFlightSince time.Time
	// rejected is true after a NACK of the latest response.
	rejected bool
	bisector quarantine.Bisector

	// addsBlockedSince and removesBlockedSince are since when additions and removals wait for other types; zero if they do not.
	addsBlockedSince, removesBlockedSince time.Time
}

// markChanged records that resources of the snapshot may have changed.
func (q *sequencer) markChanged(t resourcetype.Type, names []string, now time.Time) {
	st := &q.types[t]
	for _, name := range names {
		if _, known := st.versions.get(name); known || st.sendsUnasked(name) {
			st.markDirty(name, now)
		}
	}
}

// markAllChanged records that everything may have changed, for example because the proxy has moved to another scope.
func (q *sequencer) markAllChanged(snap Snapshot, now time.Time) {
	snap = q.withOwnClusters(snap)
	for t := range resourcetype.NumTypes {
		q.markTypeChanged(t, snap, now)
	}
}

func (q *sequencer) markTypeChanged(t resourcetype.Type, snap Snapshot, now time.Time) {
	st := &q.types[t]
	for name := range st.versions.all() {
		st.markDirty(name, now)
	}
	if st.wildcard {
		for name := range snap.Names(t) {
			st.markDirty(name, now)
		}
	}
}

// sendsUnasked reports whether the client is sent a resource of this name without a subscription to the name.
func (st *typeState) sendsUnasked(name string) bool {
	return st.wildcard && !scope.IsOnDemandName(name)
}

func (st *typeState) markDirty(name string, now time.Time) {
	if st.dirty == nil {
		st.dirty = map[string]struct{}{}
	}
	if st.dirtySince.IsZero() {
		st.dirtySince = now
	}
	st.dirty[name] = struct{}{}
}

// resetDirtySince ends the record of changes if there are none.
func (st *typeState) resetDirtySince() {
	if len(st.dirty) == 0 {
		st.dirty = nil
		st.dirtySince = time.Time{}
	}
}

// canRespond reports whether a response may be due. It ends the waits of a type without changes.
func (st *typeState) canRespond() bool {
	if len(st.dirty) == 0 && !st.responseDue {
		st.addsBlockedSince, st.removesBlockedSince = time.Time{}, time.Time{}
		return st.bisector.HasParts() && st.inFlight == ""
	}
	return st.requested && st.inFlight == ""
}

// deadline returns when next may have a response without further input; zero if never.
func (q *sequencer) deadline() time.Time {
	earliest, blockedSince := q.certificateReusableUntil, q.routesMissingSince
	for _, due := range q.removalsDue {
		earliest = earlier(earliest, due)
	}
	if q.handover != nil {
		earliest = earlier(earlier(earliest, q.handover.drainsAt), q.handover.endsAt)
	}
	for t := range q.types {
		st := &q.types[t]
		if !st.canRespond() {
			continue
		}
		blockedSince = earlier(earlier(blockedSince, st.addsBlockedSince), st.removesBlockedSince)
		if st.bisector.HasParts() {
			earliest = earlier(earliest, st.bisector.PausedUntil())
		}
	}
	if blockedSince.IsZero() {
		return earliest
	}
	return earlier(earliest, blockedSince.Add(ackTimeout))
}

// pendingSince returns for each type the time of the oldest change without an answer; zero if there is none. Clusters and
// listeners are pending from the start of the stream until the client requests them.
func (q *sequencer) pendingSince(start time.Time) (since [resourcetype.NumTypes]time.Time) {
	for t := range resourcetype.NumTypes {
		st := &q.types[t]
		switch {
		case st.requested && st.inFlight != "":
			since[t] = st.inFlightSince
		case len(st.dirty) > 0 && st.requested:
			since[t] = st.dirtySince
		case t.IsWildcard() && !st.requested:
			since[t] = start
		}
	}
	return since
}

// maxAnswerDelay is how long a client may leave responses without an answer. Envoy answers at once, or after a cluster has warmed. One that is too busy to
// answer does not answer keepalive pings either, which end its connection earlier.
const maxAnswerDelay = 2 * time.Minute

// ErrUnanswered means that the client reads its responses and does not answer them. Policies would wait for it forever.
var ErrUnanswered = errors.New("the sidecar does not answer its responses")

// answerDue returns when a client must have answered something; zero if it owes no answer. Each response and each answer begins the time again, which
// a silent client cannot prolong: it has one response of each type.
func (q *sequencer) answerDue() time.Time {
	if secrets := &q.types[resourcetype.Secrets]; secrets.inFlight == "" && len(secrets.dirty) > 0 {
		return time.Time{} // clusters of the client warm until they have the certificate, which was not sent
	}
	for t := range q.types {
		if q.types[t].inFlight != "" {
			return q.exchangedAt.Add(maxAnswerDelay)
		}
	}
	return time.Time{}
}
