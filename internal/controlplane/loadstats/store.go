package loadstats

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// Intervals of load reports.
const (
	// Interval is the reporting interval of sidecars.
	Interval = 5 * time.Second
	// FirstInterval is the time until the first report after a pause, if at most maxPrompt sidecars are connected.
	FirstInterval = time.Second
	// Lease is how long sidecars keep reporting after the last read.
	Lease = time.Minute
	// Window is the period of counts and rates.
	Window = time.Minute
	// Grace is the time in which a new stream has its first report: reports are sent after an Interval.
	Grace = 3 * Interval
	// maxAverage is the longest period of an average. It exceeds the maximum age of a stream.
	maxAverage = time.Hour
)

// Bounds on the memory that sidecars can use.
const (
	// maxPrompt is the maximum number of sidecars whose first reports are requested within FirstInterval.
	maxPrompt = 1000
	// maxPairs is the maximum number of pairs of a client identity and an upstream cluster; each takes about 650
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

// Load is what one sidecar sent to one upstream cluster since its last report.
type Load struct {
	Cluster string
	Counts
}

// Store holds load reports. It is safe for concurrent use. Loads use memory only while there is a reader.
type Store struct {
	now func() time.Time

	mu sync.Mutex
	// since and until are when reporting begins and ends; changed is closed when reporting begins again.
	since, until time.Time
	changed      chan struct{}
	// reporters are those of each instance, the latest last. An instance has two while one of its Envoys takes over from the other.
	reporters map[entity.InstanceID][]*Reporter
	// reported is what is known about the reports of each instance since reporting began, on any stream.
	reported map[entity.InstanceID]reported
	pairs    map[pair]*series
	clusters map[identity.ServiceAccount]int
	// awaited are those whose first report since reporting began is missing; received is closed when there is none.
	awaited  map[*Reporter]bool
	received chan struct{}
	// failing has the servers that do not answer. It does not depend on readers.
	failing map[unanswered]failing
}

// reported is when an instance reported last, and how many requests more it may have sent until then.
type reported struct {
	last   time.Time
	unused uint64
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
		reporters: map[entity.InstanceID][]*Reporter{}, reported: map[entity.InstanceID]reported{}, pairs: map[pair]*series{},
		clusters: map[identity.ServiceAccount]int{}, failing: map[unanswered]failing{}, awaited: map[*Reporter]bool{}, received: make(chan struct{}),
	}
}

// ReportsRequestedUntil returns until when sidecars should report, which is in the past when there is no reader. The channel is
// closed when reporting begins again.
func (s *Store) ReportsRequestedUntil() (until time.Time, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.until, s.changed
}

// extendLease makes sidecars report until the lease ends. The caller holds mu.
func (s *Store) extendLease(now time.Time) {
	if !now.Before(s.until) {
		s.since = now
		clear(s.pairs)
		clear(s.clusters)
		clear(s.reported)
		s.await()
		close(s.changed)
		s.changed = make(chan struct{})
	}
	s.until = now.Add(Lease)
}

// await begins to wait for a report of each connected sidecar. The caller holds mu.
func (s *Store) await() {
	s.awaited, s.received = make(map[*Reporter]bool, len(s.reporters)), make(chan struct{})
	for _, reporters := range s.reporters {
		for _, r := range reporters {
			s.awaited[r] = true
		}
	}
	s.stopAwaiting(nil)
}

// stopAwaiting removes one that has reported or is not connected any more. The caller holds mu.
func (s *Store) stopAwaiting(r *Reporter) {
	delete(s.awaited, r)
	if len(s.awaited) > 0 {
		return
	}
	select {
	case <-s.received:
	default:
		close(s.received)
	}
}

// Await makes sidecars report, as Read does. The channel is closed when all that were connected after a pause have reported once.
func (s *Store) Await() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.extendLease(s.now())
	return s.received
}

// FirstInterval is the time until the first report of a sidecar after a pause.
func (s *Store) FirstInterval() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.reporters) > maxPrompt {
		return Interval
	}
	return FirstInterval
}

// addLoad adds a load to its series and reports whether there was room. The caller holds mu.
func (s *Store) addLoad(sender group, load Load, isAverage bool, began, now time.Time) bool {
	key, client := pair{sender, load.Cluster}, sender.client
	entry := s.pairs[key]
	if entry == nil {
		if len(load.Cluster) > maxName || len(s.pairs) >= maxPairs || s.clusters[client] >= maxClusters {
			return false
		}
		entry = &series{}
		s.pairs[key] = entry
		s.clusters[client]++
	}
	if isAverage {
		entry.average, entry.averaged, entry.last = entry.average.Plus(load.Counts), max(entry.averaged, now.Sub(began)), now
		return true
	}
	if entry.since.IsZero() {
		entry.since = began
	}
	entry.add(load.Counts, now)
	return true
}

// removeExpired removes series and instances without a report for a whole Window. The caller holds mu.
func (s *Store) removeExpired(now time.Time) {
	maps.DeleteFunc(s.reported, func(_ entity.InstanceID, r reported) bool { return now.Sub(r.last) > Window })
	for key, entry := range s.pairs {
		if now.Sub(entry.last) <= Window {
			continue
		}
		delete(s.pairs, key)
		if s.clusters[key.client]--; s.clusters[key.client] == 0 {
			delete(s.clusters, key.client)
		}
	}
}

// slots is the number of intervals in a series.
const slots = int(Window / Interval)

// series are the counts of one pair by interval.
type series struct {
	// since is the start of the first reported period, and last the time of the latest report. Since is zero if only the average of a pause is
	// known.
	since, last time.Time
	slots       [slots]slot
	// average are the counts of the pause before reporting began, and averaged is its period.
	average  Counts
	averaged time.Duration
}

// slot has the counts that were reported within one interval, numbered from 1970.
type slot struct {
	number int64
	Counts
}

func slotNumber(t time.Time) int64 { return t.UnixNano() / int64(Interval) }

func (s *series) add(c Counts, now time.Time) {
	number := slotNumber(now)
	at := &s.slots[number%int64(slots)]
	if at.number != number {
		*at = slot{number: number}
	}
	at.Counts = at.Plus(c)
	s.last = now
}

// recent returns the intervals of the last Window that have reports, the oldest first.
func (s *series) recent(now time.Time) []Recent {
	newest := slotNumber(now)
	var list []Recent
	for number := newest - int64(slots) + 1; number <= newest; number++ {
		if at := s.slots[number%int64(slots)]; at.number == number {
			list = append(list, Recent{time.Unix(0, number*int64(Interval)).UTC(), at.Counts})
		}
	}
	return list
}

// pair returns what the series says about a pair.
func (s *series) pair(key pair, now time.Time) Pair {
	p := Pair{Client: key.client, Revision: key.revision, Cluster: key.cluster}
	if s.since.IsZero() {
		p.Counts, p.Over, p.IsAverage = s.average, s.averaged, true
		return p
	}
	p.Over, p.Recent = min(s.last.Sub(s.since), Window), s.recent(now)
	for _, r := range p.Recent {
		p.Counts = p.Plus(r.Counts)
	}
	return p
}

// Loads are the counts of this process's sidecars in the last Window.
type Loads struct {
	// Since is when reporting began. Within the first Interval the result is incomplete.
	Since time.Time
	// Sidecars is the number of sidecars that can report; Reporting is how many of them have reported in the last Window, on this stream or an
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
	// Sidecars is the number of sidecars that can report. Each is counted in at most one of Reporting and Starting: it has reported in the
	// last Window, or its stream is too new for a report.
	Sidecars, Reporting, Starting int
}

// Pair is what the sidecars of one identity and revision sent to one upstream cluster.
type Pair struct {
	Client   identity.ServiceAccount
	Revision string
	Cluster  string
	Counts
	// Over is the period of the counts, at most Window unless they are an average.
	Over time.Duration
	// Recent are the counts by interval, the oldest first, without intervals that have no report.
	Recent []Recent
	// IsAverage is true if the counts are those since the last report before a pause, at most an hour, because nothing newer is known yet.
	IsAverage bool
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

// Read returns the current loads and makes sidecars report for a Lease from now.
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
	for key, pairSeries := range s.pairs {
		loads.Pairs = append(loads.Pairs, pairSeries.pair(key, now))
	}
	slices.SortFunc(loads.Pairs, func(x, y Pair) int {
		return cmp.Or(x.Client.Compare(y.Client), cmp.Compare(x.Cluster, y.Cluster), cmp.Compare(x.Revision, y.Revision))
	})
	return loads
}

// groups counts the instances whose sidecars have a stream. The caller holds mu.
func (s *Store) groups(now time.Time) []Group {
	counts := map[group]Group{}
	for instance, reporters := range s.reporters {
		r := reporters[len(reporters)-1]
		g := counts[r.group]
		g.Client, g.Revision = r.client, r.revision
		g.Sidecars++
		switch _, reported := s.reported[instance]; {
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
