package snapshot

import (
	"iter"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/openservicemesh/osm-operator/internal/scope"
)

// scopeNode is a scope in use: its resources and the streams it is served to. The Store's goroutine alone writes it; streams
// read it under its lock.
type scopeNode struct {
	key scope.Key

	mu sync.RWMutex
	// contents are the scope's resources by type and name, without endpoints and the service certificate.
	contents [numTypes]map[string]*content
	// endpoints are those of the scope's clusters, by cluster name.
	endpoints map[string]*endpointsNode
	identity  *identityNode

	// built is the scope that contents were made from, and separate what separable says of it; the Store's alone.
	built    *scope.Scope
	separate bool
	// shared are the common destinations that built has; nil when it has its own.
	shared *scope.Destinations
	// streams is the Store's alone.
	streams map[*Stream]struct{}
}

// endpointsNode is a set of endpoints in use, shared by the scopes whose clients see the same ones.
type endpointsNode struct {
	key     scope.EndpointsKey
	cluster string
	current atomic.Pointer[content]
	// scopes is the Store's alone.
	scopes map[*scopeNode]struct{}
}

// content implements offer. The caller holds the lock, as for the other methods of offer.
func (n *scopeNode) content(t Type, name string) (*content, bool) {
	if t == Endpoints {
		if e, ok := n.endpoints[name]; ok {
			c := e.current.Load()
			return c, c != nil
		}
		return nil, false
	}
	if t == Secrets && name == n.identity.secret {
		c := n.identity.current.Load()
		return c, c != nil
	}
	c, ok := n.contents[t][name]
	return c, ok
}

// names implements offer.
func (n *scopeNode) names(t Type) iter.Seq[string] { return maps.Keys(n.contents[t]) }

// pending implements offer: the certificate of the workload is being issued.
func (n *scopeNode) pending(t Type, name string) bool {
	return t == Secrets && name == n.identity.secret
}

// hasEndpoints implements offer.
func (n *scopeNode) hasEndpoints(cluster string) bool { return n.endpoints[cluster] != nil }

// changes are the names whose content differs, by type.
type changes [numTypes][]string

func (c *changes) empty() bool {
	for _, names := range c {
		if len(names) > 0 {
			return false
		}
	}
	return true
}

// size is the number of names.
func (c *changes) size() int {
	sum := 0
	for _, names := range c {
		sum += len(names)
	}
	return sum
}

// edits are what must change in a scope's node. A nil value means that the name is gone.
type edits struct {
	contents  [numTypes]map[string]*content
	endpoints map[string]*endpointsNode
}

// apply makes edits and returns what differs. The caller holds the write lock.
func (n *scopeNode) apply(e edits) changes {
	var diff changes
	for t := range numTypes {
		diff[t] = patch(&n.contents[t], e.contents[t])
	}
	diff[Endpoints] = patch(&n.endpoints, e.endpoints)
	return diff
}

// patch edits a map and returns the sorted keys whose values are others than before. Contents are interned, so that equal
// ones are the same pointer.
func patch[V any](values *map[string]*V, edits map[string]*V) []string {
	var names []string
	for name, value := range edits {
		if (*values)[name] == value {
			continue
		}
		names = append(names, name)
		if value == nil {
			delete(*values, name)
			continue
		}
		if *values == nil {
			*values = map[string]*V{}
		}
		(*values)[name] = value
	}
	slices.Sort(names)
	return names
}
