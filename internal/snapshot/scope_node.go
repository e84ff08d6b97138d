package snapshot

import (
	"iter"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/openservicemesh/osm-operator/internal/scope"
	"github.com/openservicemesh/osm-operator/internal/snapshot/delta"
	"github.com/openservicemesh/osm-operator/internal/snapshot/resource"
)

// scopeNode is the snapshot of a scope in use. It implements delta.SharedSnapshot. The Store's goroutine alone modifies it;
// streams read it under its lock.
type scopeNode struct {
	key scope.Key

	sync.RWMutex
	// contents has the resources by type and name, without endpoints and the service certificate.
	contents [resource.NumTypes]map[string]*resource.Content
	// endpoints has the endpoints of the clusters, by cluster name.
	endpoints map[string]*endpointsNode
	identity  *identityNode

	// The following fields belong to the Store's goroutine.

	// built is the scope that contents were built from, and separable the result of isSeparable for it.
	built     *scope.Scope
	separable bool
	// shared are the shared destinations that built has; nil if it has its own.
	shared  *scope.Destinations
	streams map[*Stream]struct{}
}

// endpointsNode is a set of endpoints in use. All scopes whose clients have the same endpoints share it.
type endpointsNode struct {
	key     scope.EndpointsKey
	cluster string
	current atomic.Pointer[resource.Content]
	// scopes belongs to the Store's goroutine.
	scopes map[*scopeNode]struct{}
}

// Content implements delta.Snapshot.
func (n *scopeNode) Content(t resource.Type, name string) (*resource.Content, bool) {
	if t == resource.Endpoints {
		if e, ok := n.endpoints[name]; ok {
			c := e.current.Load()
			return c, c != nil
		}
		return nil, false
	}
	if t == resource.Secrets && name == n.identity.secretName {
		c := n.identity.current.Load()
		return c, c != nil
	}
	c, ok := n.contents[t][name]
	return c, ok
}

// Names implements delta.Snapshot.
func (n *scopeNode) Names(t resource.Type) iter.Seq[string] { return maps.Keys(n.contents[t]) }

// IsPending implements delta.Snapshot: the certificate of the workload is issued asynchronously.
func (n *scopeNode) IsPending(t resource.Type, name string) bool {
	return t == resource.Secrets && name == n.identity.secretName
}

// HasEndpoints implements delta.Snapshot.
func (n *scopeNode) HasEndpoints(cluster string) bool { return n.endpoints[cluster] != nil }

// allContents returns all resources.
func (n *scopeNode) allContents() []*resource.Content {
	n.RLock()
	defer n.RUnlock()
	var all []*resource.Content
	for t := range resource.NumTypes {
		for _, c := range n.contents[t] {
			all = append(all, c)
		}
	}
	for _, e := range n.endpoints {
		if c := e.current.Load(); c != nil {
			all = append(all, c)
		}
	}
	if c := n.identity.current.Load(); c != nil {
		all = append(all, c)
	}
	return all
}

// versions returns one version for all resources of each type in contents.
func (n *scopeNode) versions() map[resource.Type]string {
	n.RLock()
	defer n.RUnlock()
	versions := map[resource.Type]string{}
	for t := range resource.NumTypes {
		sum := resource.Version(0) // XOR does not depend on the order of the map
		for _, c := range n.contents[t] {
			sum ^= c.Hash()
		}
		if len(n.contents[t]) > 0 {
			versions[t] = sum.String()
		}
	}
	return versions
}

// edits are changes of a scopeNode. A nil value removes the name.
type edits struct {
	contents  [resource.NumTypes]map[string]*resource.Content
	endpoints map[string]*endpointsNode
}

// apply makes edits and returns what changed. The caller holds the write lock.
func (n *scopeNode) apply(e edits) delta.Changes {
	var changes delta.Changes
	for t := range resource.NumTypes {
		changes[t] = applyEdits(&n.contents[t], e.contents[t])
	}
	changes[resource.Endpoints] = applyEdits(&n.endpoints, e.endpoints)
	return changes
}

// applyEdits edits a map and returns the sorted keys whose values changed. Equal contents are interned, so pointers are compared.
func applyEdits[V any](values *map[string]*V, edits map[string]*V) []string {
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
