package delta

import (
	"strconv"
	"time"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// action is what a dirty name needs.
type action uint8

const (
	actionNone action = iota
	actionAdd
	actionRemove
	// actionReportAbsent reports to a client that a subscribed resource does not exist. It waits like a removal: a change of what
	// refers to the name may make it unnecessary.
	actionReportAbsent
	// actionWithdraw replaces the cluster of a destination by one without endpoints. It waits like a removal: until then, routes may refer to the destination.
	actionWithdraw
	// actionWait is for a resource that is being created, and for a listener whose client may be about to drain.
	actionWait
	// actionRevoke removes a listener of a client that drains, in place of an update.
	actionRevoke
)

// next returns the next response, or nil if everything is sent, in flight or waiting. The caller calls it until it returns nil,
// after every input and after deadline.
func (q *sequencer) next(snap Snapshot, now time.Time) *Response {
	q.expireReportedCertificate(now)
	q.endRemovalDelays(snap, now)
	q.passHandoverTimes(snap, now)
	full := q.withOwnClusters(snap)
	r := q.nextByType(full, now)
	if r == nil && q.completeReadiness(full, now) {
		r = q.nextByType(q.withOwnClusters(snap), now)
	}
	if r == nil {
		q.compact(snap)
	}
	return r
}

// compact saves memory while there is nothing to send.
func (q *sequencer) compact(snap Snapshot) {
	for t := range resourcetype.NumTypes {
		q.types[t].versions.compact(snap.Base(t))
	}
	if len(q.warming) == 0 {
		q.warming = nil
	}
}

func (q *sequencer) nextByType(snap Snapshot, now time.Time) *Response {
	for t := range resourcetype.NumTypes {
		if !q.types[t].canRespond() {
			continue
		}
		if r := q.respond(t, snap, now); r != nil {
			return r
		}
	}
	return nil
}

// expireReportedCertificate causes the current certificate to be sent shortly before the one from an earlier stream expires.
func (q *sequencer) expireReportedCertificate(now time.Time) {
	if q.certificateReusableUntil.IsZero() || now.Before(q.certificateReusableUntil) {
		return
	}
	q.certificateReusableUntil = time.Time{}
	st := &q.types[resourcetype.Secrets]
	if _, known := st.versions.get(envoy.ServiceCertName); known {
		st.versions.set(envoy.ServiceCertName, stateUnknown)
		st.markDirty(envoy.ServiceCertName, now)
	}
}

// respond returns the next response of one type, or nil if nothing of it may be sent now.
func (q *sequencer) respond(t resourcetype.Type, snap Snapshot, now time.Time) *Response {
	st := &q.types[t]
	mayAdd := q.canAdd(t, snap, now) || isOverdue(st.addsBlockedSince, now)
	mayRemove := q.canRemove(t, snap, now) || isOverdue(st.removesBlockedSince, now)
	if isOverdue(st.addsBlockedSince, now) {
		clear(q.warming)
	}
	r := &Response{Type: t}
	size, addsBlocked, removesBlocked := 0, false, false
	for _, name := range q.namesToSend(t, snap, now) {
		if size >= maxResponseBytes && !q.undivided {
			break
		}
		action, res := q.decide(t, name, snap, now)
		switch {
		case action == actionWait:
		case action == actionNone:
			delete(st.dirty, name)
			q.keepExisting(t, name, snap)
		case action == actionRevoke:
			size += r.append(name, resource.Versioned{})
			q.recordRevoked(name)
		case action == actionAdd && !mayAdd:
			addsBlocked = true
		case action == actionReportAbsent && q.holdsClusters(t):
			size += r.append(name, res)
			q.recordSent(t, name, res, now)
		case (action == actionRemove || action == actionReportAbsent || action == actionWithdraw) && !mayRemove:
			removesBlocked = true
		case action == actionRemove && q.delayRemoval(snap, t, name, now):
			delete(st.dirty, name)
		default:
			res = q.withMarks(res, now)
			size += r.append(name, res)
			q.recordSent(t, name, res, now)
			if res.Content != nil {
				q.recordDestination(t, name, snap)
			}
		}
	}
	updateBlockedSince(&st.addsBlockedSince, addsBlocked || (st.responseDue && !mayAdd), now)
	updateBlockedSince(&st.removesBlockedSince, removesBlocked, now)
	if len(r.Resources)+len(r.Removed) == 0 && (!st.responseDue || !mayAdd) {
		st.resetDirtySince()
		return q.nextPart(t, snap, now)
	}
	st.bisector.Exclude(r.Resources)
	q.setInFlight(r, now)
	return r
}

// append adds a resource, or a removed name if there is no content, and returns its size.
func (r *Response) append(name string, res resource.Versioned) int {
	if res.Content != nil {
		r.Resources = append(r.Resources, res)
		return encodedSize(res)
	}
	r.Removed = append(r.Removed, name)
	return len(name)
}

// decide compares the client's state of a name with the snapshot.
func (q *sequencer) decide(t resourcetype.Type, name string, snap Snapshot, now time.Time) (action, resource.Versioned) {
	st := &q.types[t]
	version, known := st.versions.get(name)
	if !known && !st.sendsUnasked(name) {
		return actionNone, resource.Versioned{}
	}
	c, exists := snap.Content(t, name)
	exists = exists && !q.isWithdrawn(t, name, snap)
	if exists && t == resourcetype.Listeners {
		if a, decided := q.decideHandover(version, known, c); decided {
			return a, resource.Versioned{}
		}
	}
	switch {
	case exists && version != stateUnsent && isUnknownDestination(t, name, snap):
		return withdraw(q.compare(t, version, c, now))
	case exists:
		return q.compare(t, version, c, now)
	case snap.IsPending(t, name):
		return actionWait, resource.Versioned{}
	case !known || version == stateAbsent || version == stateRemoved || version == stateEmptyRoutes || version == stateRevoked:
		return actionNone, resource.Versioned{}
	case version != stateUnsent:
		return actionRemove, resource.Versioned{}
	case t == resourcetype.Routes && !q.undivided:
		return actionReportAbsent, emptyRoutes(name)
	default:
		return actionReportAbsent, resource.Versioned{}
	}
}

// compare returns actionAdd unless the client has the version. The version of endpoints includes the version of the sent cluster:
// Envoy does not use a changed cluster before its endpoints are sent again.
func (q *sequencer) compare(t resourcetype.Type, version resource.Version, c *resource.Content, now time.Time) (action, resource.Versioned) {
	res := q.versioned(t, c)
	if version == stateReported {
		if until, ok := resource.ReusableUntil(q.reportedCertificate, c.WireVersion(), now); ok {
			q.types[t].versions.set(c.Name(), res.Version)
			q.certificateReusableUntil = until
			return actionNone, resource.Versioned{}
		}
	}
	if version == res.Version {
		return actionNone, resource.Versioned{}
	}
	return actionAdd, res
}

// withdraw is the action for a destination that the client has and that does not exist any more.
func withdraw(a action, res resource.Versioned) (action, resource.Versioned) {
	if a == actionAdd {
		a = actionWithdraw
	}
	return a, res
}

func (q *sequencer) versioned(t resourcetype.Type, c *resource.Content) resource.Versioned {
	version := c.Hash()
	if t == resourcetype.Endpoints {
		cluster, _ := q.types[resourcetype.Clusters].versions.get(c.Name())
		version = resource.CombineVersions(version, cluster)
	}
	return resource.Versioned{Content: c, Version: version}
}

// recordSent records the client's state after the response: the resource, or its absence.
func (q *sequencer) recordSent(t resourcetype.Type, name string, res resource.Versioned, now time.Time) {
	st := &q.types[t]
	version, _ := st.versions.get(name)
	delete(st.dirty, name)
	if res.Content == nil {
		st.bisector.Forget(name)
		q.forgetPermissions(t, name)
	} else if t == resourcetype.Listeners {
		q.recordListener(name, version, res.Content, now)
	}
	switch {
	case res.Content != nil:
		st.versions.set(name, res.Version)
	case (st.wildcard && version != stateUnsent) || q.destinations.isLeaving(t, name):
		q.forgetName(t, name)
	case version == stateUnsent:
		st.versions.set(name, stateAbsent)
	default:
		st.versions.set(name, stateRemoved)
	}
	if t == resourcetype.Secrets && res.Content != nil && name == envoy.ServiceCertName {
		q.certificateReusableUntil = time.Time{}
	}
	if t == resourcetype.Clusters {
		q.recordSentCluster(name, res, now)
	}
}

// recordSentCluster causes the endpoints of a sent cluster to be sent again, even if they are unchanged.
func (q *sequencer) recordSentCluster(name string, res resource.Versioned, now time.Time) {
	endpoints := &q.types[resourcetype.Endpoints]
	_, subscribed := endpoints.versions.get(name)
	if res.Content != nil {
		if q.warming == nil {
			q.warming = map[string]string{}
		}
		q.warming[res.Name()] = ""
	} else {
		delete(q.warming, name)
		if subscribed {
			endpoints.versions.set(name, stateUnknown)
		}
	}
	if subscribed {
		endpoints.markDirty(name, now)
	}
}

// setInFlight assigns a nonce to a response.
func (q *sequencer) setInFlight(r *Response, now time.Time) {
	st := &q.types[r.Type]
	q.nonce++
	r.Nonce = strconv.FormatUint(q.nonce, 10)
	st.inFlight, q.exchangedAt = r.Nonce, now
	st.bisector.SetInFlight(r.Resources)
	st.inFlightSince = st.dirtySince
	if st.inFlightSince.IsZero() {
		st.inFlightSince = now
	}
	st.responseDue = false
	st.resetDirtySince()
	if r.Type != resourcetype.Endpoints {
		return
	}
	for _, res := range r.Resources {
		if _, ok := q.warming[res.Name()]; ok {
			q.warming[res.Name()] = r.Nonce
		}
	}
}

// cancelInFlight takes back a response without resources that was not sent.
func (q *sequencer) cancelInFlight(t resourcetype.Type) { q.types[t].inFlight = "" }
