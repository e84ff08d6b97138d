package delta

import (
	"time"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// drainMarks are those of the client's inbound listener. Other replicas may have set some of them, before the client connected to this
// one. The client keeps those, because it drains the connections of each filter chain whose mark changes.
type drainMarks struct {
	// atClient are the marks that the client has, in place of inSnapshot.
	atClient, inSnapshot resource.DrainMarks
	// due are the chains that lose their connections with the next listener, because a principal lost its permission before this stream.
	due []string
}

// withDrainMarks returns what is sent for a resource: a listener with the marks that the client keeps. It records them.
func (q *sequencer) withDrainMarks(res resource.Versioned) resource.Versioned {
	if res.Content == nil || res.Type() != resourcetype.Listeners || res.Name() != envoy.InboundListener {
		return res
	}
	inSnapshot := res.DrainMarks()
	atClient := q.marks.atClient.Carry(q.marks.inSnapshot, inSnapshot)
	for _, chain := range q.marks.due {
		atClient = atClient.Differ(q.marks.atClient, chain)
	}
	q.marks = drainMarks{atClient: atClient, inSnapshot: inSnapshot}
	if atClient.Equal(inSnapshot) {
		return res
	}
	marked, err := res.WithDrainMarks(atClient)
	if err != nil { // a content of this process decodes
		return res
	}
	return resource.Versioned{Content: marked, Version: res.Version}
}

// reportListener records the marks of a listener that the client has from an earlier stream, and returns the listener's hash: that of
// the snapshot's listener if they differ in marks only that this replica does not know.
func (q *sequencer) reportListener(name, version string, current *resource.Content) (hash string) {
	held, ok := resource.ParseListenerVersion(version)
	if !ok || name != envoy.InboundListener {
		return version
	}
	q.marks.atClient = held.Marks
	if current == nil {
		return held.Hash
	}
	q.marks.inSnapshot = held.Marks.Common(current.DrainMarks())
	if current.IsSentAs(held) {
		return current.Hash().String()
	}
	return held.Hash
}

// reportPermissions compares the permissions that the client has from an earlier stream with those of the snapshot, and returns their
// hash. If a principal has lost its permission since then, its open connections are drained.
func (q *sequencer) reportPermissions(name, version string, snap Snapshot, now time.Time) (hash string) {
	chain, isNetworkRBAC := envoy.ChainOfNetworkRBAC(name)
	if current, exists := snap.Content(resourcetype.Extensions, name); isNetworkRBAC && exists {
		if resource.LosesPrincipal(version, current.WireVersion()) {
			q.drain(chain, now)
		}
	}
	return resource.PermissionsHash(version)
}

// drain sends the inbound listener with another mark for a filter chain.
func (q *sequencer) drain(chain string, now time.Time) {
	q.marks.due = append(q.marks.due, chain)
	st := &q.types[resourcetype.Listeners]
	if _, known := st.versions.get(envoy.InboundListener); known {
		st.versions.set(envoy.InboundListener, stateUnknown)
		st.markDirty(envoy.InboundListener, now)
	}
}
