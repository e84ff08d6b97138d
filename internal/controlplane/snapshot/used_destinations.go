package snapshot

import (
	"maps"
	"slices"
	"sync"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

const (
	// maxUsedDestinations is how many destinations are remembered for a workload identity, at most.
	maxUsedDestinations = 1024
	// maxUsers is for how many identities destinations are remembered, at most.
	maxUsers = 16384
)

// usedDestinations remembers which destinations the sidecars of each workload identity have asked for. The next pod of the identity gets them at its start, so
// that its first requests do not wait. After a restart of the control plane, connected sidecars report what they have.
type usedDestinations struct {
	mu     sync.Mutex
	byUser map[identity.ServiceAccount]map[string]struct{}
}

// add records a destination. Beyond a limit the destination is not remembered, and sidecars ask for it when they need it.
func (u *usedDestinations) add(user identity.ServiceAccount, name string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	used := u.byUser[user]
	if used == nil {
		if len(u.byUser) >= maxUsers {
			return
		}
		used = map[string]struct{}{}
		if u.byUser == nil {
			u.byUser = map[identity.ServiceAccount]map[string]struct{}{}
		}
		u.byUser[user] = used
	}
	if len(used) < maxUsedDestinations {
		used[name] = struct{}{}
	}
}

// of returns the destinations of an identity, sorted.
func (u *usedDestinations) of(user identity.ServiceAccount) []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Sorted(maps.Keys(u.byUser[user]))
}

// forgetDeleted forgets the identities whose service accounts are deleted.
func (u *usedDestinations) forgetDeleted(changes []catalog.Change) {
	for _, change := range changes {
		if change.Ref.Kind == entity.KindServiceAccount && change.Entry == nil {
			u.mu.Lock()
			delete(u.byUser, identity.ServiceAccount(change.Ref.Name))
			u.mu.Unlock()
		}
	}
}

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

// noDestination returns the cluster that clients get in place of an unknown destination. It is made for each answer: an application may try any number of
// addresses, and nothing remains of them here.
func noDestination(name string) *resource.Content {
	c, err := resource.New(envoy.NoDestination(name))
	if err != nil { // a valid name is ASCII
		panic(err)
	}
	return c
}
