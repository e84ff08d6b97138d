package delta

import (
	"time"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// nextPart returns the next part of a rejected response, or nil if there is none or it must wait.
func (q *sequencer) nextPart(t resourcetype.Type, snap Snapshot, now time.Time) *Response {
	st := &q.types[t]
	for part := st.bisector.NextPart(now); part != nil; part = st.bisector.NextPart(now) {
		r := &Response{Type: t}
		for _, name := range part {
			if res, ok := q.unchanged(t, name, snap); ok {
				r.Resources = append(r.Resources, q.withDrainMarks(res))
			}
		}
		if len(r.Resources) > 0 {
			q.resend(r, now)
			return r
		}
	}
	return nil
}

// unchanged returns a resource if the snapshot still has the sent version. A changed resource is sent as a change.
func (q *sequencer) unchanged(t resourcetype.Type, name string, snap Snapshot) (resource.Versioned, bool) {
	version, known := q.types[t].versions.get(name)
	c, exists := snap.Content(t, name)
	if !known || !exists {
		return resource.Versioned{}, false
	}
	res := q.versioned(t, c)
	return res, version == res.Version
}

// resend puts resources in flight that were sent before.
func (q *sequencer) resend(r *Response, now time.Time) {
	if r.Type == resourcetype.Clusters {
		for _, res := range r.Resources {
			q.recordSentCluster(res.Name(), res, now)
			if _, subscribed := q.types[resourcetype.Endpoints].versions.get(res.Name()); subscribed {
				q.types[resourcetype.Endpoints].versions.set(res.Name(), stateUnknown)
			}
		}
	}
	q.setInFlight(r, now)
}
