package snapshot

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// step is what a dirty name needs.
type step uint8

const (
	nothing step = iota
	add
	remove
	// deny tells a client that asked by name that there is no such resource. It waits like a removal: when what refers to the
	// name is about to be replaced, there is no need to.
	deny
	// wait is for a resource that will come by itself.
	wait
)

// next is the response to send now, or nil when everything is sent, in flight or waiting. Call it until it returns nil after
// every input and when deadline has passed.
func (q *sequencer) next(o offer, now time.Time) *Response {
	q.renewClaim(now)
	full := q.full(o)
	r := q.first(full, now)
	if r == nil && q.becomesReady(full, now) {
		r = q.first(o, now)
	}
	return r
}

// first is the response of the first type of which something may be sent.
func (q *sequencer) first(o offer, now time.Time) *Response {
	for t := range numTypes {
		st := &q.types[t]
		if !st.open() {
			continue
		}
		if r := q.respond(t, o, now); r != nil {
			return r
		}
	}
	return nil
}

// renewClaim gives up a certificate of an earlier stream shortly before it expires, so that the current one is sent.
func (q *sequencer) renewClaim(now time.Time) {
	if q.acceptedUntil.IsZero() || now.Before(q.acceptedUntil) {
		return
	}
	q.acceptedUntil = time.Time{}
	st := &q.types[Secrets]
	for name := range st.held {
		if isServiceCertificate(name) {
			st.held[name] = foreign
			st.touch(name, now)
		}
	}
}

// respond is the response of one type, or nil when nothing of it may be sent now.
func (q *sequencer) respond(t Type, o offer, now time.Time) *Response {
	st := &q.types[t]
	mayAdd := q.addable(t, o, now) || overdue(st.addsHeld, now)
	mayRemove := q.removable(t, o, now) || overdue(st.removesHeld, now)
	if overdue(st.addsHeld, now) {
		clear(q.warming)
	}
	r := &Response{Type: t}
	size, heldAdds, heldRemoves := 0, false, false
	for _, name := range q.turn(t, o, now) {
		if size >= maxResponse && !q.whole {
			break
		}
		action, res := q.decide(t, name, o, now)
		switch {
		case action == wait:
		case action == nothing:
			delete(st.dirty, name)
		case action == add && !mayAdd:
			heldAdds = true
		case (action == remove || action == deny) && !mayRemove:
			heldRemoves = true
		default:
			size += r.take(name, res)
			q.record(t, name, res, now)
		}
	}
	hold(&st.addsHeld, heldAdds || (st.owed && !mayAdd), now)
	hold(&st.removesHeld, heldRemoves, now)
	if len(r.Resources)+len(r.Removed) == 0 && (!st.owed || !mayAdd) {
		st.rest()
		return q.isolate(t, o, now)
	}
	if q.whole && !t.wildcard() && len(r.Resources) == 0 { // the older protocol has no word for what is not there
		st.rest()
		return nil
	}
	q.types[r.Type].acquit(r.Resources)
	q.send(r, now)
	return r
}

// take puts a resource into the response, or a name that has none, and returns the size.
func (r *Response) take(name string, res Resource) int {
	if res.content != nil {
		r.Resources = append(r.Resources, res)
		return res.size()
	}
	r.Removed = append(r.Removed, name)
	return len(name)
}

// decide compares what the client holds of a name with what is offered.
func (q *sequencer) decide(t Type, name string, o offer, now time.Time) (step, Resource) {
	st := &q.types[t]
	have, held := st.held[name]
	if !held && !st.wildcard {
		return nothing, Resource{}
	}
	c, offered := o.content(t, name)
	switch {
	case offered:
		return q.compare(t, have, c, now)
	case o.pending(t, name):
		return wait, Resource{}
	case !held || have == absent || have == stub:
		return nothing, Resource{}
	case have != unsent:
		return remove, Resource{}
	case t == Routes:
		return deny, emptyRoutes(name)
	default:
		return deny, Resource{}
	}
}

// compare is add, unless the client holds that version. The version of endpoints includes that of the cluster that the client
// was sent: Envoy makes a changed cluster wait until its endpoints are sent again.
func (q *sequencer) compare(t Type, have uint64, c *content, now time.Time) (step, Resource) {
	res := Resource{content: c, version: c.hash}
	if t == Endpoints {
		res.version = combine(c.hash, q.types[Clusters].held[c.name])
	}
	if have == claimed {
		if until, ok := stillGood(q.certificate, c.label, now); ok {
			q.types[t].held[c.name] = res.version
			q.acceptedUntil = until
			return nothing, Resource{}
		}
	}
	if have == res.version {
		return nothing, Resource{}
	}
	return add, res
}

// record notes what the client will hold once it has the response: the resource, or none of that name.
func (q *sequencer) record(t Type, name string, res Resource, now time.Time) {
	st := &q.types[t]
	have := st.held[name]
	delete(st.dirty, name)
	if res.content == nil {
		st.forget(name)
	}
	switch {
	case res.content != nil:
		st.held[name] = res.version
	case st.wildcard && have != unsent:
		delete(st.held, name)
	default:
		st.held[name] = absent
	}
	if t == Secrets && res.content != nil && isServiceCertificate(name) {
		q.acceptedUntil = time.Time{}
	}
	if t == Clusters {
		q.clusterSent(name, res, now)
	}
}

// clusterSent makes endpoints follow their cluster: an added cluster waits for them, even for the same as before.
func (q *sequencer) clusterSent(name string, res Resource, now time.Time) {
	endpoints := &q.types[Endpoints]
	_, subscribed := endpoints.held[name]
	if res.content != nil {
		q.warming[res.name] = ""
	} else {
		delete(q.warming, name)
		if subscribed {
			endpoints.held[name] = foreign
		}
	}
	if subscribed {
		endpoints.touch(name, now)
	}
}

// send puts a response in flight.
func (q *sequencer) send(r *Response, now time.Time) {
	st := &q.types[r.Type]
	q.nonce++
	r.Nonce = strconv.FormatUint(q.nonce, 10)
	st.inflight, st.flying = r.Nonce, r.Resources
	st.sentSince = st.since
	if st.sentSince.IsZero() {
		st.sentSince = now
	}
	st.owed = false
	st.rest()
	if r.Type != Endpoints {
		return
	}
	for _, res := range r.Resources {
		if _, ok := q.warming[res.name]; ok {
			q.warming[res.name] = r.Nonce
		}
	}
}

// open says whether a response may be due, and ends the waits of a type without changes.
func (st *typeState) open() bool {
	if len(st.dirty) == 0 && !st.owed {
		st.addsHeld, st.removesHeld = time.Time{}, time.Time{}
		return len(st.parts) > 0 && st.inflight == ""
	}
	return st.asked && st.inflight == ""
}

// rest ends the record of changes when none is left.
func (st *typeState) rest() {
	if len(st.dirty) == 0 {
		st.dirty = nil
		st.since = time.Time{}
	}
}

// sortedNames makes responses deterministic.
func sortedNames(set map[string]struct{}) []string {
	names := make([]string, 0, len(set))
	for name := range set {
		names = append(names, name)
	}
	slices.SortFunc(names, strings.Compare)
	return names
}
