package snapshot

import (
	"maps"
	"slices"
	"sync"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
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
