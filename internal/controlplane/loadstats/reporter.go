package loadstats

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// Reporter is an Envoy with an open stream of load reports.
type Reporter struct {
	store    *Store
	instance entity.InstanceID
	group
	began time.Time
}

// Register adds a sidecar when it opens its stream of load reports. Two Envoys of a pod report each, and count as one sidecar. revision is the
// MeshRevision whose injector added the sidecar; empty if unknown.
func (s *Store) Register(instance entity.InstanceID, client identity.ServiceAccount, revision string) *Reporter {
	r := &Reporter{store: s, instance: instance, group: group{client, revision}, began: s.now()}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reporters[instance] = append(s.reporters[instance], r)
	return r
}

// Unregister removes the sidecar when its stream ends. Its reports remain.
func (r *Reporter) Unregister() {
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	left := slices.DeleteFunc(r.store.reporters[r.instance], func(other *Reporter) bool { return other == r })
	if r.store.reporters[r.instance] = left; len(left) == 0 {
		delete(r.store.reporters, r.instance)
	}
	r.store.stopAwaiting(r)
}

// Report adds the loads that the sidecar sent within the given time before now, and returns how many were dropped. Loads are dropped if
// there is no room for them, or if their counts exceed what a sidecar can send. Without a reader it adds nothing.
func (r *Reporter) Report(loads []Load, within time.Duration) (dropped int) {
	now := r.store.now()
	within = min(max(within, 0), maxAverage)
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	if !now.Before(r.store.until) {
		return 0
	}
	budget := r.budget(now)
	isAverage := r.store.awaited[r] && within > Grace
	if isAverage {
		// An average says nothing about the present, so the sidecar does not count as reporting.
		budget = uint64(within.Seconds() * maxRate)
	} else {
		within = min(within, Window)
		defer func() { r.store.reported[r.instance] = reported{now, min(budget, maxUnused)} }()
	}
	r.store.stopAwaiting(r)
	if len(r.store.pairs) >= maxPairs {
		r.store.removeExpired(now)
	}
	for _, load := range loads {
		if !takeRequests(&budget, load.Counts) {
			dropped++
			continue
		}
		if !r.store.addLoad(r.group, load, isAverage, now.Add(-within), now) {
			dropped++
		}
	}
	return dropped
}

// maxUnused is how much of a budget is left for the next report. Two Envoys of a pod share the budget: the report of one must not leave to that of the
// other, which may follow at once, the time between them only.
const maxUnused = uint64(Interval/time.Second) * maxRate

// budget returns how many requests the Envoys of the pod can have sent and not reported, on this stream or others. The caller holds mu.
func (r *Reporter) budget(now time.Time) uint64 {
	before, known := r.store.reported[r.instance]
	if !known {
		return uint64(Window.Seconds() * maxRate)
	}
	since := min(max(now.Sub(before.last), 0), Window)
	return before.unused + uint64(since.Seconds()*maxRate)
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

// Bounds on what is known about servers.
const (
	// ServerInterval is the reporting interval of sidecars with servers, while nobody reads other loads.
	ServerInterval = 10 * time.Second
	// failureExpiry is how long a failure counts after it was last reported. A sidecar without requests sends none to the server.
	failureExpiry = 3 * time.Minute
)

// Server is a server that decides about requests or connections before sidecars forward them.
type Server struct {
	// Cluster is the name of its Envoy cluster.
	Cluster string
	// Policy is the ExternalAuthorization that names the server; empty for a server of the MeshConfig and for a rate limit service.
	Policy entity.Name
}

// Failure is a server that does not answer sidecars of an identity.
type Failure struct {
	Server
	Client identity.ServiceAccount
	// Sidecars is the number of sidecars without an answer, and Since when the first of them reported it.
	Sidecars int
	Since    time.Time
}

// unanswered identifies a server that does not answer a sidecar.
type unanswered struct {
	instance entity.InstanceID
	Server
}

type failing struct {
	client      identity.ServiceAccount
	since, last time.Time
}

// ReportServer records whether a server answered the sidecar since its last report. A server fails if it leaves at least half of the
// requests without an answer. Without requests nothing is known. The server must be one that the sidecar has.
func (r *Reporter) ReportServer(server Server, c Counts) {
	if c.Succeeded == 0 && c.Failed == 0 {
		return
	}
	now := r.store.now()
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	key := unanswered{r.instance, server}
	if c.Failed < c.Succeeded {
		delete(r.store.failing, key)
		return
	}
	entry, known := r.store.failing[key]
	if !known {
		entry = failing{client: r.client, since: now}
	}
	entry.last = now
	r.store.failing[key] = entry
}

// Failures returns the servers that do not answer, sorted by cluster, policy and client.
func (s *Store) Failures() []Failure {
	s.mu.Lock()
	defer s.mu.Unlock()
	type key struct {
		Server
		client identity.ServiceAccount
	}
	now, sums := s.now(), map[key]Failure{}
	for sender, entry := range s.failing {
		if now.Sub(entry.last) > failureExpiry {
			delete(s.failing, sender)
			continue
		}
		at := key{sender.Server, entry.client}
		sum, known := sums[at]
		if !known || entry.since.Before(sum.Since) {
			sum.Since = entry.since
		}
		sums[at] = Failure{sender.Server, entry.client, sum.Sidecars + 1, sum.Since}
	}
	return slices.SortedFunc(maps.Values(sums), func(a, b Failure) int {
		return cmp.Or(cmp.Compare(a.Cluster, b.Cluster), a.Policy.Compare(b.Policy), a.Client.Compare(b.Client))
	})
}
