package snapshot

import (
	"iter"
	"maps"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/openservicemesh/osm-operator/internal/controlplane/loadstats"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/delta"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// scopeNode is the snapshot of a scope in use. It implements delta.SharedSnapshot. The Store's goroutine alone modifies it;
// streams read it under its lock and that of the shared layer.
type scopeNode struct {
	key scope.Key

	// mu guards own, shared and servers. The lock of shared is taken after it.
	mu sync.RWMutex
	// own has the resources that shared lacks or has in another form.
	own layer
	// shared has the resources of shared destinations; nil if the scope has destinations of its own.
	shared *sharedLayer
	// servers are the decision servers among own. The list is replaced and never edited.
	servers  []loadstats.Server
	identity *identityNode

	// The following fields belong to the Store's goroutine.

	// built is the scope that own was built from, without shared destinations.
	built *scope.Scope
	// separable is the result of isSeparable for built.
	separable bool
	// bytes is about how large own is.
	bytes int
	// stale is true if own must be translated again even if built is the same.
	stale bool
	// parts are those of built.
	parts   scopeParts
	streams map[*Stream]struct{}
}

// endpointsNode is a set of endpoints in use. All layers whose clients have the same endpoints share it.
type endpointsNode struct {
	key     scope.EndpointsKey
	cluster string
	current atomic.Pointer[resource.Content]
	// users belongs to the Store's goroutine.
	users map[endpointsUser]struct{}
}

// endpointsUser is a *scopeNode or a *sharedLayer.
type endpointsUser interface {
	// notify notifies the streams of a change.
	notify(s *Store, changes *delta.Changes)
}

// RLock implements delta.SharedSnapshot.
func (n *scopeNode) RLock() {
	n.mu.RLock()
	if n.shared != nil {
		n.shared.mu.RLock()
	}
}

// RUnlock implements delta.SharedSnapshot.
func (n *scopeNode) RUnlock() {
	if n.shared != nil {
		n.shared.mu.RUnlock()
	}
	n.mu.RUnlock()
}

// Content implements delta.Snapshot.
func (n *scopeNode) Content(t resourcetype.Type, name string) (*resource.Content, bool) {
	if n.IsPending(t, name) {
		c := n.identity.current.Load()
		return c, c != nil
	}
	c := n.own.content(t, name)
	if c == nil && n.shared != nil {
		c = n.shared.content(t, name)
	}
	if c == nil && n.isUnknownDestination(t, name) {
		c = noDestination(name)
	}
	return c, c != nil
}

// Names implements delta.Snapshot.
func (n *scopeNode) Names(t resourcetype.Type) iter.Seq[string] {
	return func(yield func(string) bool) {
		for name := range n.own.contents[t] {
			if !scope.IsOnDemandName(name) && !yield(name) {
				return
			}
		}
		if n.shared == nil {
			return
		}
		for name := range n.shared.contents[t] {
			if n.own.contents[t][name] == nil && !scope.IsOnDemandName(name) && !yield(name) {
				return
			}
		}
	}
}

// Base implements delta.Snapshot.
func (n *scopeNode) Base(t resourcetype.Type) *delta.Base {
	if n.shared == nil {
		return nil
	}
	return n.shared.bases[t].base
}

// IsPending implements delta.Snapshot: the certificate of the workload is issued asynchronously.
func (n *scopeNode) IsPending(t resourcetype.Type, name string) bool {
	return t == resourcetype.Secrets && name == envoy.ServiceCertName
}

// HasEndpoints implements delta.Snapshot.
func (n *scopeNode) HasEndpoints(cluster string) bool {
	return n.endpointsOf(cluster) != nil
}

// Destinations implements delta.Snapshot.
func (n *scopeNode) Destinations() iter.Seq[string] {
	return func(yield func(string) bool) {
		for name := range n.own.endpoints {
			if scope.IsOnDemandName(name) && !yield(name) {
				return
			}
		}
		if n.shared == nil {
			return
		}
		for name := range n.shared.endpoints {
			if n.own.endpoints[name] == nil && scope.IsOnDemandName(name) && !yield(name) {
				return
			}
		}
	}
}

// LoadsOnDemand implements delta.Snapshot.
func (n *scopeNode) LoadsOnDemand() bool { return n.key.Class.OnDemand }

// endpointsOf returns the endpoints of a cluster; nil without any. The caller holds the read lock.
func (n *scopeNode) endpointsOf(cluster string) *endpointsNode {
	if e := n.own.endpoints[cluster]; e != nil || n.shared == nil {
		return e
	}
	return n.shared.endpoints[cluster]
}

// notify implements endpointsUser.
func (n *scopeNode) notify(s *Store, changes *delta.Changes) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s.notifyStreams(n, changes, s.trace)
}

// allContents returns all resources.
func (n *scopeNode) allContents() []*resource.Content {
	n.RLock()
	defer n.RUnlock()
	all := n.own.all()
	if n.shared != nil {
		all = append(all, slices.DeleteFunc(n.shared.all(), func(c *resource.Content) bool { return n.own.content(c.Type(), c.Name()) != nil })...)
	}
	if c := n.identity.current.Load(); c != nil {
		all = append(all, c)
	}
	return all
}

// versions returns one version for all resources of each type, without endpoints and the certificate of the workload.
func (n *scopeNode) versions() map[resourcetype.Type]string {
	n.RLock()
	defer n.RUnlock()
	versions := map[resourcetype.Type]string{}
	for t := range resourcetype.NumTypes {
		sum, count := resource.Version{}, len(n.own.contents[t]) // XOR does not depend on the order of the map
		for _, c := range n.own.contents[t] {
			sum = sum.Xor(c.Hash())
		}
		if n.shared != nil {
			sum = sum.Xor(n.shared.sumWithout(t, n.own.contents[t]))
			count += len(n.shared.contents[t])
		}
		if count > 0 {
			versions[t] = sum.String()
		}
	}
	return versions
}

// replace applies edits to the scope's own layer and exchanges the shared one. It returns what changed. The caller holds the write lock.
func (n *scopeNode) replace(shared *sharedLayer, e edits) delta.Changes {
	if shared == n.shared {
		return n.own.apply(e)
	}
	before := n.flatten()
	n.own.apply(e)
	n.shared = shared
	after := edits(n.flatten())
	after.removeOthers(&before)
	return before.apply(after)
}

// flatten returns a copy with the resources of both layers.
func (n *scopeNode) flatten() layer {
	var all layer
	for t := range resourcetype.NumTypes {
		all.contents[t] = map[string]*resource.Content{}
		if n.shared != nil {
			maps.Copy(all.contents[t], n.shared.contents[t])
		}
		maps.Copy(all.contents[t], n.own.contents[t])
	}
	all.endpoints = map[string]*endpointsNode{}
	if n.shared != nil {
		maps.Copy(all.endpoints, n.shared.endpoints)
	}
	maps.Copy(all.endpoints, n.own.endpoints)
	return all
}

// equalScopes reports whether two versions of a scope are equal. A scope is rebuilt after every change of a policy that it depends
// on, and many changes have no effect on it.
func equalScopes(before, after *scope.Scope) bool {
	return equalLists(before.Outbound, after.Outbound, equalOutbound) &&
		equalLists(before.Clusters, after.Clusters, equalCluster) &&
		equalLists(before.Divided, after.Divided, equalCluster) &&
		reflect.DeepEqual(before.Inbound, after.Inbound) && reflect.DeepEqual(before.ClientPolicies, after.ClientPolicies) &&
		reflect.DeepEqual(withoutLists(before), withoutLists(after))
}

// equalOutbound avoids reflection for the fields that most destinations have.
func equalOutbound(a, b *scope.Outbound) bool {
	return a.Service == b.Service && a.Port == b.Port && a.Protocol == b.Protocol && a.PodPort == b.PodPort &&
		slices.Equal(a.Addresses, b.Addresses) && slices.Equal(a.Backends, b.Backends) &&
		slices.EqualFunc(a.Routes, b.Routes, equalRoutes) && equalUpstream(a.Upstream, b.Upstream) &&
		a.Routed == b.Routed && a.NamesClient == b.NamesClient && a.StandIn == b.StandIn && a.LookedUp == b.LookedUp && a.Imported == b.Imported &&
		equalLists(a.HTTPRoutes, b.HTTPRoutes, equalHTTPRoute) &&
		equalLists(a.ConnectionRoutes, b.ConnectionRoutes, equalConnectionRoute)
}

func equalConnectionRoute(a, b *scope.ConnectionRoute) bool { return reflect.DeepEqual(a, b) }

// equalHTTPRoute avoids reflection for routes of policies that have not changed.
func equalHTTPRoute(a, b *scope.HTTPRoute) bool { return a.IsSame(b) || reflect.DeepEqual(a, b) }

func equalRoutes(a, b scope.OutboundRoutes) bool { return reflect.DeepEqual(a, b) }

func equalCluster(a, b *scope.Cluster) bool {
	return a.Service == b.Service && a.TargetPort == b.TargetPort && a.Protocol == b.Protocol && a.HTTP == b.HTTP &&
		a.Destination == b.Destination && a.Endpoints == b.Endpoints && a.Plain == b.Plain &&
		reflect.DeepEqual(a.Peer, b.Peer) && reflect.DeepEqual(a.StandIn, b.StandIn) &&
		slices.Equal(a.Identities, b.Identities) && equalUpstream(a.Upstream, b.Upstream)
}

// equalUpstream compares pointers first: nearly all are nil.
func equalUpstream(a, b *scope.Upstream) bool { return a == b || reflect.DeepEqual(a, b) }

// equalLists compares lists. It copies no elements, which are large.
func equalLists[E any](a, b []E, equal func(a, b *E) bool) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !equal(&a[i], &b[i]) {
			return false
		}
	}
	return true
}

// containsInOrder reports whether a list has all elements of another one in the same order.
func containsInOrder[E any](list, all []E, equal func(a, b *E) bool) bool {
	found := 0
	for i := range list {
		if found < len(all) && equal(&list[i], &all[found]) {
			found++
		}
	}
	return found == len(all)
}

// trimCommonEnds removes the common prefix and suffix of two lists.
func trimCommonEnds[E any](a, b []E, equal func(a, b *E) bool) (restA, restB []E) {
	for len(a) > 0 && len(b) > 0 && equal(&a[0], &b[0]) {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && equal(&a[len(a)-1], &b[len(b)-1]) {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return a, b
}
