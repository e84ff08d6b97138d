package snapshot

import (
	"iter"
	"time"

	"github.com/openservicemesh/osm-operator/internal/envoy"
)

// Envoy counts a rejection as an answer: a new sidecar that rejects its first routes would call itself ready, be led requests, and
// answer them with 404. So the first clusters that it is sent have one more among them, for which its bootstrap calls it not ready,
// and which is taken away once it has accepted everything. A sidecar that brings configuration from an earlier stream keeps the
// cluster if it has it, and is not sent it if not: it was ready before.

// unreadyCluster is the cluster as it is sent.
func unreadyCluster() *content {
	c, err := newContent(envoy.Unready())
	if err != nil { // it is always the same
		panic(err)
	}
	return c
}

// withUnready is an offer with the cluster added.
type withUnready struct {
	offer
	unready *content
}

func (w withUnready) content(t Type, name string) (*content, bool) {
	if t == Clusters && name == w.unready.name {
		return w.unready, true
	}
	return w.offer.content(t, name)
}

func (w withUnready) names(t Type) iter.Seq[string] {
	if t != Clusters {
		return w.offer.names(t)
	}
	return func(yield func(string) bool) {
		if !yield(w.unready.name) {
			return
		}
		w.offer.names(t)(yield)
	}
}

// full is the offer with what is this stream's alone.
func (q *sequencer) full(o offer) offer {
	if q.unready == nil {
		return o
	}
	return withUnready{o, q.unready}
}

// wasReady takes the clusters that the client says it holds: with some of ours and not that one it was ready before.
func (q *sequencer) wasReady(initial map[string]string) {
	if q.unready == nil || len(initial) == 0 {
		return
	}
	if _, still := initial[q.unready.name]; !still {
		q.unready = nil
	}
}

// becomesReady takes the cluster away once the client uses everything that it was sent. Call it when nothing is left to be sent.
func (q *sequencer) becomesReady(o offer, now time.Time) bool {
	if q.unready == nil || !q.uses(o, now) {
		return false
	}
	q.types[Clusters].touch(q.unready.name, now)
	q.unready, q.unasked = nil, time.Time{}
	return true
}

// uses says whether the client has accepted what is offered. Routes are what it asks for last, after it has acknowledged the listeners;
// a client that never asks for some that are offered is waited for no longer than for an acknowledgement.
func (q *sequencer) uses(o offer, now time.Time) bool {
	if !q.types[Clusters].asked || !q.types[Listeners].asked {
		return false
	}
	for _, t := range []Type{Secrets, Extensions, Clusters, Listeners, Routes} {
		if q.types[t].asked && !q.settled(t, o, now) {
			return false
		}
	}
	missing := false
	for name := range o.names(Routes) {
		missing = missing || q.types[Routes].held[name] < firstVersion
	}
	hold(&q.unasked, missing, now)
	return !missing || overdue(q.unasked, now)
}
