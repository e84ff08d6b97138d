package snapshot

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

const (
	// usedFor is how long a destination counts as used after a sidecar has asked for it, or has reported requests to it.
	usedFor = 24 * time.Hour
	// maxLoaded is how many destinations a new pod gets before it asks for them, at most: those that were used last. They take about 32 MB of its sidecar. Of a
	// Service that is not among them, the first request waits for some milliseconds.
	maxLoaded = 256
	// maxUsedDestinations is how many destinations are remembered for a workload identity, at most. It exceeds maxLoaded, because some may not exist any more.
	maxUsedDestinations = 512
	// maxUsers is for how many identities destinations are remembered, at most.
	maxUsers = 16384
	// pruneInterval is the least time between two searches for what has not been used for long.
	pruneInterval = 10 * time.Minute
)

// usedDestinations remembers which destinations the sidecars of each workload identity have used, and when. The next pod of the identity gets them at its
// start, so that its first requests do not wait. That alone is no use of them. It is safe for concurrent use.
//
// After a restart of the control plane, connected sidecars report what they have asked for. This counts as used when the control plane started: a sidecar that
// reconnects every half hour must not keep what it called once.
type usedDestinations struct {
	now       func() time.Time
	startedAt time.Time

	mu       sync.Mutex
	byUser   map[identity.ServiceAccount]*usage
	prunedAt time.Time
}

// usage has when destinations were last used. latest is not before any of them.
type usage struct {
	latest time.Time
	byName map[string]time.Time
}

func newUsedDestinations(now func() time.Time) *usedDestinations {
	started := now()
	return &usedDestinations{now: now, startedAt: started, byUser: map[identity.ServiceAccount]*usage{}, prunedAt: started}
}

// use records that a sidecar needs a destination now.
func (u *usedDestinations) use(user identity.ServiceAccount, name string) { u.add(user, name, u.now()) }

// report records that a sidecar has asked for a destination at an unknown time.
func (u *usedDestinations) report(user identity.ServiceAccount, name string) {
	u.add(user, name, u.startedAt)
}

// add records when a destination was used. Beyond a limit, the destination or the identity whose last use is the longest ago is forgotten.
func (u *usedDestinations) add(user identity.ServiceAccount, name string, at time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := u.now()
	if isUnused(at, now) {
		return
	}
	used := u.byUser[user]
	if used == nil {
		if len(u.byUser) >= maxUsers {
			u.forgetOldestUser(now)
		}
		used = &usage{byName: map[string]time.Time{}}
		u.byUser[user] = used
	}
	used.add(name, at)
}

func (u *usage) add(name string, at time.Time) {
	before, known := u.byName[name]
	if known && !before.Before(at) {
		return
	}
	if !known && len(u.byName) >= maxUsedDestinations {
		oldest := slices.MinFunc(slices.Collect(maps.Keys(u.byName)), u.compare)
		if at.Before(u.byName[oldest]) {
			return
		}
		delete(u.byName, oldest)
	}
	u.byName[name] = at
	if u.latest.Before(at) {
		u.latest = at
	}
}

// compare compares destinations by their last use.
func (u *usage) compare(a, b string) int {
	return cmp.Or(u.byName[a].Compare(u.byName[b]), cmp.Compare(a, b))
}

// recent returns the destinations that an identity has used lately and that exist, the latest first. It calls exists with a lock.
func (u *usedDestinations) recent(user identity.ServiceAccount, exists func(name string) bool) []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	used := u.byUser[user]
	if used == nil {
		return nil
	}
	used.prune(u.now())
	names := slices.DeleteFunc(slices.Collect(maps.Keys(used.byName)), func(name string) bool { return !exists(name) })
	slices.SortFunc(names, func(a, b string) int { return used.compare(b, a) })
	return names[:min(len(names), maxLoaded)]
}

// prune forgets what has not been used for long, at most once in pruneInterval.
func (u *usedDestinations) prune() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.pruneIfDue(u.now())
}

// pruneIfDue requires mu.
func (u *usedDestinations) pruneIfDue(now time.Time) {
	if now.Sub(u.prunedAt) < pruneInterval {
		return
	}
	u.prunedAt = now
	maps.DeleteFunc(u.byUser, func(_ identity.ServiceAccount, used *usage) bool {
		used.prune(now)
		return len(used.byName) == 0
	})
}

func (u *usage) prune(now time.Time) {
	maps.DeleteFunc(u.byName, func(_ string, at time.Time) bool { return isUnused(at, now) })
}

// isUnused reports whether the last use of a destination is too long ago.
func isUnused(at, now time.Time) bool { return now.Sub(at) > usedFor }

// forgetOldestUser makes room for another identity. It requires mu.
func (u *usedDestinations) forgetOldestUser(now time.Time) {
	if u.pruneIfDue(now); len(u.byUser) < maxUsers {
		return
	}
	var oldest identity.ServiceAccount
	latest := now
	for user, used := range u.byUser {
		if !used.latest.After(latest) {
			oldest, latest = user, used.latest
		}
	}
	delete(u.byUser, oldest)
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
