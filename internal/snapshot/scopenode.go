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

// replace puts new resources in place and returns what differs. The caller holds the write lock.
func (n *scopeNode) replace(contents [numTypes]map[string]*content, endpoints map[string]*endpointsNode) changes {
	var diff changes
	for t := range numTypes {
		diff[t] = differences(n.contents[t], contents[t])
	}
	diff[Endpoints] = differences(n.endpoints, endpoints)
	n.contents, n.endpoints = contents, endpoints
	return diff
}

// differences are the sorted keys whose values are not the same in both maps. Contents are interned, so that equal ones are
// the same pointer.
func differences[V comparable](before, after map[string]V) []string {
	var names []string
	for name, value := range after {
		if old, ok := before[name]; !ok || old != value {
			names = append(names, name)
		}
	}
	for name := range before {
		if _, ok := after[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
