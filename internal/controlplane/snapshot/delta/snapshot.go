package delta

import (
	"iter"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// Snapshot is the set of resources that a client should have.
type Snapshot interface {
	// Content returns a resource.
	Content(t resourcetype.Type, name string) (*resource.Content, bool)
	// Names yields the names of all resources of a type.
	Names(t resourcetype.Type) iter.Seq[string]
	// IsPending reports whether a resource that is missing is being created. It is then neither sent nor reported as absent. Of the
	// names of service certificates, this is true only for the client's own.
	IsPending(t resourcetype.Type, name string) bool
	// Base returns the versions that clients of many snapshots have in common; nil if there are none. It may differ from the resources.
	Base(t resourcetype.Type) *Base
	// HasEndpoints reports whether a cluster gets its endpoints from EDS.
	HasEndpoints(cluster string) bool
}

// SharedSnapshot is a Snapshot that changes. Its read lock guards the methods of Snapshot.
type SharedSnapshot interface {
	Snapshot
	RLock()
	RUnlock()
}

// Changes has the names of changed resources by type.
type Changes [resourcetype.NumTypes][]string

// IsEmpty reports whether there are no names.
func (c *Changes) IsEmpty() bool { return c.Len() == 0 }

// Len returns the number of names.
func (c *Changes) Len() int {
	sum := 0
	for _, names := range c {
		sum += len(names)
	}
	return sum
}
