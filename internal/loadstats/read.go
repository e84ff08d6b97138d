package loadstats

import (
	"cmp"
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/identity"
)

// Loads are what the sidecars of this process have sent in the last Window.
type Loads struct {
	// Since is from when sidecars were asked to report. Less than an Interval later nothing can be known yet.
	Since time.Time
	// Sidecars can report, and Reporting of them have since they were asked.
	Sidecars, Reporting int
	// Pairs are sorted by client and cluster. What is not among them was not reported, which is not the same as 0.
	Pairs []Pair
}

// Pair is what the sidecars of one identity have sent to one upstream cluster.
type Pair struct {
	Client  identity.ServiceAccount
	Cluster string
	Counts
	// Over is the time that the counts are about: at most Window.
	Over time.Duration
	// Recent are the counts by interval, the oldest first; intervals without a report are left out.
	Recent []Recent
}

// Rate is the number of requests a second.
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

// Read is what is known, and makes sidecars report for a Lease from now.
func (b *Book) Read() Loads {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	b.ask(now)
	b.tidy(now)
	loads := Loads{Since: b.since, Sidecars: len(b.reporters), Pairs: make([]Pair, 0, len(b.pairs))}
	for _, r := range b.reporters {
		if r.reports > 0 {
			loads.Reporting++
		}
	}
	for key, s := range b.pairs {
		p := Pair{Client: key.client, Cluster: key.cluster, Over: min(s.last.Sub(s.since), Window), Recent: s.recent(now)}
		for _, r := range p.Recent {
			p.Counts = p.Plus(r.Counts)
		}
		loads.Pairs = append(loads.Pairs, p)
	}
	slices.SortFunc(loads.Pairs, func(x, y Pair) int { return cmp.Or(x.Client.Compare(y.Client), cmp.Compare(x.Cluster, y.Cluster)) })
	return loads
}
