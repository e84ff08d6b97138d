package loadstats

import (
	"time"

	"github.com/openservicemesh/osm-operator/internal/identity"
)

// Reporter is a sidecar with an open stream of load reports.
type Reporter struct {
	store  *Store
	uid    string
	client identity.ServiceAccount
	ended  chan struct{}
	// reports is the number of reports since reporting began. The Store's mutex guards it.
	reports int
}

// Register adds a sidecar when it opens its stream of load reports. A newer stream of the same pod supersedes the
// older one.
func (s *Store) Register(uid string, client identity.ServiceAccount) *Reporter {
	r := &Reporter{store: s, uid: uid, client: client, ended: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.reporters[uid]; old != nil {
		close(old.ended)
	}
	s.reporters[uid] = r
	return r
}

// Unregister removes the sidecar when its stream ends. Its reports remain.
func (r *Reporter) Unregister() {
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	if r.store.reporters[r.uid] == r {
		delete(r.store.reporters, r.uid)
	}
}

// Done is closed when a newer stream of the pod supersedes this one.
func (r *Reporter) Done() <-chan struct{} { return r.ended }

// Report adds the loads that the sidecar sent within the given time before now, and returns how many there was no room
// for. Without a reader it adds nothing.
func (r *Reporter) Report(loads []Load, within time.Duration) (dropped int) {
	now := r.store.now()
	within = min(max(within, 0), Window)
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	if !now.Before(r.store.until) {
		return 0
	}
	r.reports++
	if len(r.store.pairs) >= maxPairs {
		r.store.removeExpired(now)
	}
	for _, load := range loads {
		if !r.store.addLoad(r.client, load, now.Add(-within), now) {
			dropped++
		}
	}
	return dropped
}
