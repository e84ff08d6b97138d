package snapshot

import "time"

// addable says whether additions of a type may be sent now: routes wait for the clusters and endpoints that they may refer to, and
// listeners also for the routes that the client has asked for already. A chain that comes back while its predecessor drains
// takes up the routes of the predecessor, as they are: these must not be rules of an earlier time. Everything else may always be
// sent.
func (q *sequencer) addable(t Type, o offer, now time.Time) bool {
	switch t {
	case Listeners:
		return q.clustersReady(o, now) && !q.unsentAdditions(Routes, o, now)
	case Routes:
		return q.clustersReady(o, now)
	default:
		return true
	}
}

// clustersReady says whether the client holds all clusters that are offered, with their endpoints and secrets.
func (q *sequencer) clustersReady(o offer, now time.Time) bool {
	for _, t := range []Type{Secrets, Clusters} {
		if q.types[t].inflight != "" || q.unsentAdditions(t, o, now) {
			return false
		}
	}
	for name := range q.warming {
		if o.hasEndpoints(name) {
			return false
		}
		delete(q.warming, name)
	}
	return true
}

// removable says whether removals of a type may be sent now: only when the client has acknowledged everything that may have
// stopped to refer to them. Listeners go together with those that replace them.
func (q *sequencer) removable(t Type, o offer, now time.Time) bool {
	switch t {
	case Listeners:
		return q.addable(t, o, now)
	case Routes, Extensions:
		return q.settled(Listeners, o, now)
	case Clusters:
		return q.settled(Listeners, o, now) && q.settled(Routes, o, now)
	case Endpoints:
		return q.settled(Clusters, o, now)
	default:
		return q.settled(Listeners, o, now) && q.settled(Clusters, o, now)
	}
}

// settled says whether the client holds exactly what is offered of a type and has accepted it. A client that brings
// configuration from an earlier stream may hold more of it than it has told so far.
func (q *sequencer) settled(t Type, o offer, now time.Time) bool {
	st := &q.types[t]
	if !st.asked {
		return !q.resumed
	}
	return st.inflight == "" && !st.rejected && st.clean() && !q.any(t, o, now, func(s step) bool { return s != nothing })
}

func (q *sequencer) unsentAdditions(t Type, o offer, now time.Time) bool {
	return q.any(t, o, now, func(s step) bool { return s == add || s == wait })
}

// any says whether a dirty name of a type that the client asks for needs such a step.
func (q *sequencer) any(t Type, o offer, now time.Time, wanted func(step) bool) bool {
	st := &q.types[t]
	if !st.asked {
		return false
	}
	for name := range st.dirty {
		if action, _ := q.decide(t, name, o, now); wanted(action) {
			return true
		}
	}
	return false
}

// overdue says whether a wait has been long enough.
func overdue(held, now time.Time) bool { return !held.IsZero() && !now.Before(held.Add(patience)) }

// hold starts, keeps or ends the wait of a type.
func hold(held *time.Time, waiting bool, now time.Time) {
	switch {
	case !waiting:
		*held = time.Time{}
	case held.IsZero():
		*held = now
	}
}

// turn are the names that may be sent in the next response of a type, in order. A connection whose listener goes is what its door makes
// of it: it is closed, or passed on if the door has just learned to. Envoy takes listeners away before it changes others, so a door
// that changes while listeners only go is sent alone, and they go when it has been acknowledged.
func (q *sequencer) turn(t Type, o offer, now time.Time) []string {
	names := sortedNames(q.types[t].dirty)
	if t != Listeners {
		return names
	}
	var doors []string
	others := map[step]bool{}
	for _, name := range names {
		action, res := q.decide(t, name, o, now)
		if action == add && res.door {
			doors = append(doors, name)
		} else {
			others[action] = true
		}
	}
	if len(doors) > 0 && others[remove] && !others[add] {
		return doors
	}
	return names
}
