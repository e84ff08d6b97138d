package delta

import (
	"iter"
	"maps"

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
	// Destinations yields the names of clusters with endpoints that clients ask for.
	Destinations() iter.Seq[string]
	// LoadsOnDemand reports whether clients ask for destinations by name.
	LoadsOnDemand() bool
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

// Base is an immutable set of names with versions, which many streams refer to.
type Base struct{ versions map[string]resource.Version }

// NewBase returns a Base. The map must not change afterwards.
func NewBase(versions map[string]resource.Version) *Base { return &Base{versions} }

// MaxExceptions returns how many names of a stream may differ from a base before a newer base saves memory. A nil base is empty.
func MaxExceptions(b *Base) int {
	const fixed, share = 4, 16
	if b == nil {
		return fixed
	}
	return fixed + len(b.versions)/share
}

// versions has the version or state of each name that a client was sent or subscribed to. Most names of a client with many resources
// have the version in the base, so a stream has memory for the exceptions only.
type versions struct {
	base *Base
	// exceptions override the base.
	exceptions map[string]resource.Version
	// peak is the greatest number of exceptions since the map was made. Maps do not release memory.
	peak int
}

// get returns the version of a name.
func (v *versions) get(name string) (resource.Version, bool) {
	if version, ok := v.exceptions[name]; ok {
		return version, version != stateForgotten
	}
	if v.base == nil {
		return resource.Version{}, false
	}
	version, ok := v.base.versions[name]
	return version, ok
}

// set records the version of a name.
func (v *versions) set(name string, version resource.Version) {
	if v.base != nil {
		if inBase, ok := v.base.versions[name]; ok && inBase == version {
			delete(v.exceptions, name)
			return
		}
	}
	v.except(name, version)
}

// remove forgets a name.
func (v *versions) remove(name string) {
	if v.base != nil {
		if _, ok := v.base.versions[name]; ok {
			v.except(name, stateForgotten)
			return
		}
	}
	delete(v.exceptions, name)
}

func (v *versions) except(name string, version resource.Version) {
	if v.exceptions == nil {
		v.exceptions = map[string]resource.Version{}
	}
	v.exceptions[name] = version
	v.peak = max(v.peak, len(v.exceptions))
}

// all yields every name with its version.
func (v *versions) all() iter.Seq2[string, resource.Version] {
	return func(yield func(string, resource.Version) bool) {
		for name, version := range v.exceptions {
			if version != stateForgotten && !yield(name, version) {
				return
			}
		}
		if v.base == nil {
			return
		}
		for name, version := range v.base.versions {
			if _, excepted := v.exceptions[name]; !excepted && !yield(name, version) {
				return
			}
		}
	}
}

// len returns an upper bound of the number of names.
func (v *versions) len() int {
	if v.base == nil {
		return len(v.exceptions)
	}
	return len(v.exceptions) + len(v.base.versions)
}

// compact saves memory: it moves to another base if there are many exceptions to the present one, and releases that of a map that was
// larger. It does not change what get and all return. A nil base is no base.
func (v *versions) compact(base *Base) {
	switch {
	case base != v.base && (base == nil || len(v.exceptions) > MaxExceptions(v.base)):
		v.rebase(base)
	case v.peak > MaxExceptions(nil) && len(v.exceptions) < v.peak/4:
		v.exceptions = maps.Collect(maps.All(v.exceptions))
	default:
		return
	}
	v.peak = len(v.exceptions)
}

func (v *versions) rebase(base *Base) {
	moved := versions{base: base}
	for name, version := range v.all() {
		moved.set(name, version)
	}
	if base != nil {
		for name := range base.versions {
			if _, known := v.get(name); !known {
				moved.remove(name)
			}
		}
	}
	*v = moved
}
