package loadstats

import (
	"cmp"
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// Loads are the counts of this process's sidecars in the last Window.
type Loads struct {
	// Since is when reporting began. Within the first Interval the result is incomplete.
	Since time.Time
	// Sidecars is the number of sidecars that can report; Reporting is how many of them have reported since reporting
	// began.
	Sidecars, Reporting int
	// Pairs are sorted by client and cluster. A missing pair was not reported, which differs from 0.
	Pairs []Pair
}

// Pair is what the sidecars of one identity sent to one upstream cluster.
type Pair struct {
	Client  identity.ServiceAccount
	Cluster string
	Counts
	// Over is the period of the counts, at most Window.
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

// Read returns the current loads and makes sidecars report for a Lease from now.
func (s *Store) Read() Loads {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.extendLease(now)
	s.removeExpired(now)
	loads := Loads{Since: s.since, Sidecars: len(s.reporters), Pairs: make([]Pair, 0, len(s.pairs))}
	for _, r := range s.reporters {
		if r.reports > 0 {
			loads.Reporting++
		}
	}
	for key, pairSeries := range s.pairs {
		p := Pair{Client: key.client, Cluster: key.cluster, Over: min(pairSeries.last.Sub(pairSeries.since), Window), Recent: pairSeries.recent(now)}
		for _, r := range p.Recent {
			p.Counts = p.Plus(r.Counts)
		}
		loads.Pairs = append(loads.Pairs, p)
	}
	slices.SortFunc(loads.Pairs, func(x, y Pair) int { return cmp.Or(x.Client.Compare(y.Client), cmp.Compare(x.Cluster, y.Cluster)) })
	return loads
}
