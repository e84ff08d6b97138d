package snapshot

import (
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
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

// LoadsOnDemand reports whether the proxy asks for destinations by name.
func (s *Stream) LoadsOnDemand() bool { return s.scope.Load().LoadsOnDemand() }

// destinationCounts returns what the proxy has of destinations on demand.
func (s *Stream) destinationCounts() status.Destinations {
	counts := status.Destinations{Forgotten: s.delta.Forgotten()}
	names := s.delta.Destinations()
	n := s.scope.Load()
	n.RLock()
	defer n.RUnlock()
	for _, name := range names {
		if n.HasEndpoints(name) {
			counts.Loaded++
		} else {
			counts.Unknown++
		}
	}
	return counts
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

// UseDestination records that the proxy sends requests to a cluster. Others than existing destinations are ignored.
func (s *Stream) UseDestination(cluster string) {
	if !scope.IsOnDemandName(cluster) {
		return
	}
	if name, exists := s.destinationName(cluster); exists {
		s.store.used.use(s.peer.ServiceAccount, name)
	}
}

// destinationName returns the snapshot's copy of the name of a destination, so that all who remember it share one string.
func (s *Stream) destinationName(name string) (string, bool) {
	n := s.scope.Load()
	n.RLock()
	defer n.RUnlock()
	if !n.HasEndpoints(name) {
		return "", false
	}
	c, exists := n.Content(resourcetype.Clusters, name)
	if !exists {
		return "", false
	}
	return c.Name(), true
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
