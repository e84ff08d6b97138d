package loadstats

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// Intervals of load reports.
const (
	// Interval is the reporting interval of sidecars while somebody reads.
	Interval = 5 * time.Second
	// IdleInterval is the reporting interval while nobody reads: one message a minute for a sidecar. It makes the first read complete.
	IdleInterval = time.Minute
	// Lease is how long sidecars report every Interval after the last read.
	Lease = time.Minute
	// Window is the period of counts and rates.
	Window = time.Minute
	// Grace is the time in which a new stream has its first report: reports are sent after an Interval.
	Grace = 3 * Interval
	// expiry is how long a pod and a pair are known after their last report.
	expiry = IdleInterval + Grace
)

// Bounds on the memory that sidecars can use.
const (
	// maxPairs is the maximum number of pairs of a client identity and an upstream cluster; each takes about 1,100
	// bytes.
	maxPairs = 20_000
	// maxClusters is the maximum number of clusters per client identity.
	maxClusters = 2048
	// maxName is the maximum length of a cluster name in bytes. Names of Services are much shorter.
	maxName = 768
	// maxRate is how many requests per second of one sidecar count. It exceeds what a sidecar can proxy.
	maxRate = 50_000
)

// Counts are numbers of requests as Envoy counts them: a response of 500 or more, or none, is a failure. For TCP
// upstreams they count connections, which neither succeed nor fail.
type Counts struct{ Issued, Succeeded, Failed uint64 }

// Plus adds counts. Sums saturate, because sidecars may report any number.
func (c Counts) Plus(other Counts) Counts {
	return Counts{addSaturated(c.Issued, other.Issued), addSaturated(c.Succeeded, other.Succeeded), addSaturated(c.Failed, other.Failed)}
}

func addSaturated(a, s uint64) uint64 {
	if sum := a + s; sum >= a {
		return sum
	}
	return ^uint64(0)
}

// share returns a part of the counts, from 0 to 1.
func (c Counts) share(part float64) Counts {
	return Counts{uint64(part * float64(c.Issued)), uint64(part * float64(c.Succeeded)), uint64(part * float64(c.Failed))}
}

// minus returns the counts without a smaller part of them.
func (c Counts) minus(part Counts) Counts {
	return Counts{c.Issued - min(part.Issued, c.Issued), c.Succeeded - min(part.Succeeded, c.Succeeded), c.Failed - min(part.Failed, c.Failed)}
}

// Load is what one sidecar sent to one upstream cluster since its last report.
type Load struct {
	Cluster string
	Counts
}

// Store holds load reports of the last minutes. It is safe for concurrent use.
type Store struct {
	now func() time.Time

	mu sync.Mutex
	// since and until are when frequent reporting begins and ends; changed is closed when it begins again.
	since, until time.Time
	changed      chan struct{}
	reporters    map[string]*Reporter
	// reported is when each pod (UID) reported last, on any stream.
	reported map[string]time.Time
	// cleaned is when expired pods and pairs were last removed.
	cleaned  time.Time
	pairs    map[pair]*series
	clusters map[identity.ServiceAccount]int
	// failing has the servers that do not answer. It does not depend on readers.
	failing map[unanswered]failing
}

type pair struct {
	group
	cluster string
}

// group are the sidecars of one identity and revision.
type group struct {
	client identity.ServiceAccount
	// revision is the MeshRevision whose injector added the sidecars; empty if unknown.
	revision string
}

// NewStore returns an empty Store. now is the clock.
func NewStore(now func() time.Time) *Store {
	return &Store{
		now: now, changed: make(chan struct{}),
		reporters: map[string]*Reporter{}, reported: map[string]time.Time{}, pairs: map[pair]*series{}, clusters: map[identity.ServiceAccount]int{},
		failing: map[unanswered]failing{},
	}
}

// FrequentUntil returns until when sidecars should report every Interval, which is in the past when there is no reader. The channel is
// closed when frequent reporting begins again.
func (s *Store) FrequentUntil() (until time.Time, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.until, s.changed
}

// extendLease makes sidecars report every Interval until the lease ends. The caller holds mu.
func (s *Store) extendLease(now time.Time) {
	if !now.Before(s.until) {
		s.since = now
		close(s.changed)
		s.changed = make(chan struct{})
	}
	s.until = now.Add(Lease)
}

// addLoad adds a load to its series and reports whether there was room. The caller holds mu.
func (s *Store) addLoad(sender group, load Load, began, now time.Time) bool {
	key, client := pair{sender, load.Cluster}, sender.client
	entry := s.pairs[key]
	if entry == nil {
		if len(load.Cluster) > maxName || len(s.pairs) >= maxPairs || s.clusters[client] >= maxClusters {
			return false
		}
		entry = &series{since: began}
		s.pairs[key] = entry
		s.clusters[client]++
	}
	entry.add(load.Counts, began, now)
	return true
}

// removeExpired removes series and pods without a recent report. The caller holds mu.
func (s *Store) removeExpired(now time.Time) {
	s.cleaned = now
	maps.DeleteFunc(s.reported, func(_ string, last time.Time) bool { return now.Sub(last) > expiry })
	for key, entry := range s.pairs {
		if now.Sub(entry.last) <= expiry {
			continue
		}
		delete(s.pairs, key)
		if s.clusters[key.client]--; s.clusters[key.client] == 0 {
			delete(s.clusters, key.client)
		}
	}
}

// Loads are the counts of this process's sidecars in a Window. It ends when all sidecars of an identity and revision
// have reported: some seconds ago, or on the first reads up to an IdleInterval.
type Loads struct {
	// Since is when frequent reporting began.
	Since time.Time
	// Sidecars is the number of sidecars that can report; Reporting is how many of them have reported recently, on this stream or an
	// earlier one.
	Sidecars, Reporting int
	// Groups count the sidecars, sorted by client and revision.
	Groups []Group
	// Pairs are sorted by client, cluster and revision. A missing pair was not reported, which differs from 0.
	Pairs []Pair
}

// Group counts the sidecars of one identity and revision.
type Group struct {
	Client   identity.ServiceAccount
	Revision string
	// Sidecars is the number of sidecars that can report. Each is counted in at most one of Reporting and Starting: it has reported
	// recently, or its stream is too new for a report.
	Sidecars, Reporting, Starting int
}

// Pair is what the sidecars of one identity and revision sent to one upstream cluster.
type Pair struct {
	Client   identity.ServiceAccount
	Revision string
	Cluster  string
	Counts
	// Over is the period of the counts, at most Window. It is shorter by less than an Interval if the Window ends within one.
	Over time.Duration
	// Recent are the counts by interval, the oldest first, without intervals that have no report.
	Recent []Recent
}

// Rate is the number of requests per second.
func (p Pair) Rate() float64 {
	if p.Over <= 0 {
		return 0
	}
	return float64(p.Issued) / p.Over.Seconds()
}

// Recent are the counts reported within one Interval.
type Recent struct {
	Start time.Time
	Counts
}

// Read returns the current loads and makes sidecars report every Interval for a Lease from now.
func (s *Store) Read() Loads {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.extendLease(now)
	s.removeExpired(now)
	loads := Loads{Since: s.since, Sidecars: len(s.reporters), Pairs: make([]Pair, 0, len(s.pairs))}
	loads.Groups = s.groups(now)
	for _, g := range loads.Groups {
		loads.Reporting += g.Reporting
	}
	complete := s.complete(now)
	for key, pairSeries := range s.pairs {
		end := s.end(complete, key.group, now)
		p := Pair{Client: key.client, Revision: key.revision, Cluster: key.cluster, Over: pairSeries.over(end), Recent: pairSeries.recent(end)}
		for _, r := range p.Recent {
			p.Counts = p.Plus(r.Counts)
		}
		loads.Pairs = append(loads.Pairs, p)
	}
	slices.SortFunc(loads.Pairs, func(x, y Pair) int {
		return cmp.Or(x.Client.Compare(y.Client), cmp.Compare(x.Cluster, y.Cluster), cmp.Compare(x.Revision, y.Revision))
	})
	return loads
}

// end returns the end of the Window of a group. A sidecar that does not report delays it only while the first frequent reports are expected.
func (s *Store) end(complete map[group]time.Time, key group, now time.Time) time.Time {
	end, known := complete[key]
	if !known {
		return now
	}
	if delayed := now.Add(-2 * Interval); now.Sub(s.since) >= Grace && end.Before(delayed) {
		return delayed
	}
	return end
}

// complete returns until when all connected sidecars of each group have reported. After a pause without readers it is as old as an
// IdleInterval. The caller holds mu.
func (s *Store) complete(now time.Time) map[group]time.Time {
	first := map[group]time.Time{}
	for uid, r := range s.reporters {
		last, reported := s.reported[uid]
		if known, exists := first[r.group]; reported && now.Sub(last) <= expiry && (!exists || last.Before(known)) {
			first[r.group] = last
		}
	}
	return first
}

// groups counts the sidecars with a stream. The caller holds mu.
func (s *Store) groups(now time.Time) []Group {
	counts := map[group]Group{}
	for uid, r := range s.reporters {
		g := counts[r.group]
		g.Client, g.Revision = r.client, r.revision
		g.Sidecars++
		switch _, reported := s.reported[uid]; {
		case reported:
			g.Reporting++
		case now.Sub(r.began) < Grace:
			g.Starting++
		}
		counts[r.group] = g
	}
	return slices.SortedFunc(maps.Values(counts), func(x, y Group) int {
		return cmp.Or(x.Client.Compare(y.Client), cmp.Compare(x.Revision, y.Revision))
	})
}
