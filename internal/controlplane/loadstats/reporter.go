package loadstats

import (
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// Reporter is a sidecar with an open stream of load reports.
type Reporter struct {
	store  *Store
	uid    string
	client identity.ServiceAccount
	ended  chan struct{}
	// reports is the number of reports since reporting began, last the time of the latest. The Store's mutex guards them.
	reports int
	last    time.Time
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

// Report adds the loads that the sidecar sent within the given time before now, and returns how many were dropped. Loads are dropped if
// there is no room for them, or if their counts exceed what a sidecar can send. Without a reader it adds nothing.
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
	budget := r.budget(now)
	for _, load := range loads {
		if !takeRequests(&budget, load.Counts) {
			dropped++
			continue
		}
		if !r.store.addLoad(r.client, load, now.Add(-within), now) {
			dropped++
		}
	}
	return dropped
}

// budget returns how many requests the sidecar can have sent since its last report, and records this one. The caller holds mu.
func (r *Reporter) budget(now time.Time) uint64 {
	since := max(now.Sub(r.last), 0)
	if r.last.IsZero() || since > Window {
		since = Window
	}
	r.last = now
	return uint64(since.Seconds() * maxRate)
}

// takeRequests takes counts from a budget and reports whether they are possible.
func takeRequests(budget *uint64, c Counts) bool {
	most := max(c.Issued, addSaturated(c.Succeeded, c.Failed))
	if most > *budget {
		return false
	}
	*budget -= most
	return true
}
