package snapshot

import (
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// isUnknownDestination reports whether a name may be asked for, though the clients of the scope may not call such a destination, or it does not exist.
func (n *scopeNode) isUnknownDestination(t resourcetype.Type, name string) bool {
	if t != resourcetype.Clusters || !n.key.Class.OnDemand {
		return false
	}
	_, valid := scope.ParseOnDemandName(name)
	return valid
}

// ClusterName returns OSM's name of a cluster of the proxy, which may be named by a destination.
func (s *Stream) ClusterName(name string) string {
	if !scope.IsOnDemandName(name) {
		return name
	}
	n := s.scope.Load()
	n.RLock()
	defer n.RUnlock()
	if e := n.endpointsOf(name); e != nil {
		return scope.ClusterName(e.key.Service, e.key.TargetPort)
	}
	return envoy.UnknownDestination
}

// loadEager sends the destinations that the sidecars of a scope have without asking for them. Those that they already have are not sent again.
func (s *Store) loadEager(n *scopeNode) {
	for stream := range n.streams {
		stream.delta.Load(n.built.EagerDestinations)
	}
}

// noDestination returns the cluster that clients get in place of an unknown destination. It is made for each answer: an application may try any number of
// addresses, and nothing remains of them here.
func noDestination(name string) *resource.Content {
	c, err := resource.New(envoy.NoDestination(name))
	if err != nil { // a valid name is ASCII
		panic(err)
	}
	return c
}
