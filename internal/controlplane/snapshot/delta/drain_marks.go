package delta

import (
	"time"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// drains decides which connections to TCP ports a client has to close. It compares the permissions that the client is sent with those that it has,
// whatever scope or replica they come from.
type drains struct {
	// permissions has the version of the permissions that the client has, by their names, without drain marks.
	permissions map[string]string
	// marks are those that the next inbound listener has.
	marks resource.DrainMarks
}

// withMarks returns what is sent for a resource: a listener with the client's marks, or permissions with the mark in their version. Permissions that
// lack a principal that the client still allows set another mark, and so the listener is sent too.
func (q *sequencer) withMarks(res resource.Versioned, now time.Time) resource.Versioned {
	switch {
	case res.Content == nil:
	case res.Type() == resourcetype.Listeners && res.Name() == envoy.InboundListener:
		if marked, err := res.WithDrainMarks(q.drains.marks); err == nil { // a content of this process decodes
			res.Content = marked
		}
	case res.Type() == resourcetype.Extensions:
		if chain, isDrained := envoy.DrainedChain(res.Name()); isDrained {
			res.Content = q.withPermissions(res, chain, now)
		}
	}
	if res.Content != nil && res.Type() == resourcetype.Listeners && q.isUnsure(res) {
		res.Content = res.WithUnsureMark()
	}
	return res
}

func (q *sequencer) withPermissions(res resource.Versioned, chain string, now time.Time) *resource.Content {
	current := res.WireVersion()
	if held, known := q.drains.permissions[res.Name()]; known && resource.LosesPrincipal(held, current) {
		q.setMark(chain, resource.NextMark(q.drains.marks.OfChain(chain), current), now)
	}
	q.recordPermissions(res.Name(), current)
	return res.WithMark(q.drains.marks.OfChain(chain))
}

func (q *sequencer) recordPermissions(name, version string) {
	if q.drains.permissions == nil {
		q.drains.permissions = map[string]string{}
	}
	q.drains.permissions[name] = version
}

// forgetPermissions forgets permissions that the client no longer has. Its filter chain is gone too.
func (q *sequencer) forgetPermissions(t resourcetype.Type, name string) {
	if chain, isDrained := envoy.DrainedChain(name); isDrained && t == resourcetype.Extensions {
		delete(q.drains.permissions, name)
		q.drains.marks = q.drains.marks.WithChain(chain, "")
	}
}

// setMark sends the inbound listener with another mark for a filter chain.
func (q *sequencer) setMark(chain, mark string, now time.Time) {
	q.drains.marks = q.drains.marks.WithChain(chain, mark)
	st := &q.types[resourcetype.Listeners]
	if version, known := st.versions.get(envoy.InboundListener); known && version != stateRevoked {
		st.versions.set(envoy.InboundListener, stateUnknown)
		st.markDirty(envoy.InboundListener, now)
	}
}

// reportListener records the marks of the inbound listener that the client has from an earlier stream, and returns the version of the same listener
// in the snapshot. If a mark is due that the client does not have, the listener is sent again.
func (q *sequencer) reportListener(name, version string) string {
	if name != envoy.InboundListener {
		return version
	}
	held, hasMarks := resource.ParseListenerVersion(version)
	if hasMarks {
		version = held.Unmarked
	}
	due := q.drains.marks
	q.drains.marks = held.Marks.With(due)
	if !q.drains.marks.Equal(held.Marks) {
		return "" // no version of a listener
	}
	return version
}

// reportPermissions records the permissions that the client has from an earlier stream, and returns their hash. If they were sent with a mark that
// the listener does not have, the client did not get the listener that drains the connections. What the snapshot does not have is removed.
func (q *sequencer) reportPermissions(name, version string, snap Snapshot, now time.Time) string {
	chain, isDrained := envoy.DrainedChain(name)
	if _, exists := snap.Content(resourcetype.Extensions, name); !isDrained || !exists {
		return version
	}
	permissions, mark := resource.CutMark(version)
	q.recordPermissions(name, permissions)
	if mark != "" && mark != q.drains.marks.OfChain(chain) {
		q.setMark(chain, mark, now)
	}
	return resource.PermissionsHash(permissions)
}
