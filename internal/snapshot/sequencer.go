package snapshot

import (
	"iter"
	"time"
)

// offer is what a stream's scope holds while the stream's goroutine looks at it.
type offer interface {
	// content is a resource by name.
	content(t Type, name string) (*content, bool)
	// names yields the names of all resources of a type.
	names(t Type) iter.Seq[string]
	// pending says that a name that is not there yet will come by itself: it is neither offered nor absent.
	pending(t Type, name string) bool
	// hasEndpoints says whether the cluster of that name gets its endpoints by EDS.
	hasEndpoints(cluster string) bool
}

// What a client holds of a name, below firstVersion instead of a version.
const (
	// unsent: the client asked by name and waits for an answer.
	unsent uint64 = iota
	// absent: the client was told that there is no such resource.
	absent
	// stub: the client was sent an empty route configuration, because Envoy takes no other answer for a missing one.
	stub
	// claimed: the client holds a certificate of an earlier stream, which may still do.
	claimed
	// foreign: the client holds a version that is none of ours.
	foreign
	firstVersion
)

// Limits of the sequencer.
const (
	// patience is how long something waits for an acknowledgement that it depends on. Afterwards it is sent anyway.
	patience = 5 * time.Second
	// maxResponse is the size in bytes above which a response is divided; clients refuse messages over 4 MiB.
	maxResponse = 3 << 20
)

// sequencer is the state machine of one stream. It does no input or output and has no lock: requests, marks and the clock go
// in, responses come out.
//
// For each type, at most one response is in flight. What changes meanwhile is merged: only names are remembered, and what is
// sent is decided when it is sent.
type sequencer struct {
	types [numTypes]typeState
	// warming are the clusters that the client was sent and whose endpoints it has not acknowledged, with the nonce of the
	// response that brought the endpoints, once there is one.
	warming map[string]string
	// certificate is the version of the certificate that the client claims to hold, and acceptedUntil the time until which
	// that claim is good; zero without one.
	certificate   string
	acceptedUntil time.Time
	nonce         uint64
	// began is true after the first request, and resumed after one with versions from an earlier stream.
	began, resumed bool
	// unready is the cluster by which the client is not ready, until it uses everything that it was sent; nil afterwards, and for
	// clients that were ready before. unasked is since when nothing but requests for routes is missing.
	unready *content
	unasked time.Time
	// whole is set for clients of the older protocol: a response is not divided, neither for its size nor to find out what in
	// it is rejected.
	whole bool
}

// typeState is what the client holds and waits for of one type.
type typeState struct {
	// asked is true once the client has sent a request of this type.
	asked bool
	// wildcard is true when the client wants all resources of the type.
	wildcard bool
	// owed is true when the client waits for an answer even if nothing is in it.
	owed bool
	// held maps names to versions: of what the client was sent, and of what it subscribed to by name.
	held map[string]uint64
	// dirty are names that may differ between what is held and what is offered.
	dirty map[string]struct{}
	// since is when the oldest change in dirty happened.
	since time.Time

	// inflight is the nonce of the response that is not acknowledged; empty without one.
	inflight string
	// sentSince is what since was when it was sent.
	sentSince time.Time
	// rejected is true after the client refused the latest response.
	rejected bool
	suspicion

	// addsHeld and removesHeld are when additions and removals began to wait for other types; zero when none waits.
	addsHeld, removesHeld time.Time
}

func newSequencer() *sequencer {
	q := &sequencer{warming: map[string]string{}}
	for t := range q.types {
		q.types[t].held = map[string]uint64{}
	}
	return q
}

// mark notes that resources of the offer may have changed.
func (q *sequencer) mark(t Type, names []string, now time.Time) {
	st := &q.types[t]
	for _, name := range names {
		if _, held := st.held[name]; held || st.wildcard {
			st.touch(name, now)
		}
	}
}

// markAll notes that everything may have changed, as when the sidecar moves to another scope.
func (q *sequencer) markAll(o offer, now time.Time) {
	o = q.full(o)
	for t := range numTypes {
		q.markType(t, o, now)
	}
}

func (q *sequencer) markType(t Type, o offer, now time.Time) {
	st := &q.types[t]
	for name := range st.held {
		st.touch(name, now)
	}
	if st.wildcard {
		for name := range o.names(t) {
			st.touch(name, now)
		}
	}
}

// touch adds a name to dirty.
func (st *typeState) touch(name string, now time.Time) {
	if st.dirty == nil {
		st.dirty = map[string]struct{}{}
	}
	if st.since.IsZero() {
		st.since = now
	}
	st.dirty[name] = struct{}{}
}

// deadline is when next may have something to send without any further input; zero when it has not.
func (q *sequencer) deadline() time.Time {
	earliest := q.acceptedUntil
	consider := func(since time.Time, wait time.Duration) {
		if since.IsZero() {
			return
		}
		if at := since.Add(wait); earliest.IsZero() || at.Before(earliest) {
			earliest = at
		}
	}
	consider(q.unasked, patience)
	for t := range q.types {
		st := &q.types[t]
		if !st.open() {
			continue
		}
		consider(st.addsHeld, patience)
		consider(st.removesHeld, patience)
		if len(st.parts) > 0 {
			consider(st.pausedUntil, 0)
		}
	}
	return earliest
}
