package loadstats

import (
	"sync"
	"time"

	"github.com/openservicemesh/osm-operator/internal/identity"
)

// How long and how often sidecars report.
const (
	// Interval is how often a sidecar reports while it is asked to.
	Interval = 5 * time.Second
	// Lease is how long sidecars are asked after the last reader.
	Lease = time.Minute
	// Window is the time that counts and rates are about.
	Window = time.Minute
)

// Limits of what sidecars can make us remember.
const (
	// maxPairs is how many pairs of a client identity and an upstream cluster are kept; each takes about 600 bytes.
	maxPairs = 20_000
	// maxClusters is how many clusters are kept of one client identity.
	maxClusters = 2048
	// maxName is the size in bytes of the longest name of a cluster. Names of Services are far below.
	maxName = 768
)

// Counts are numbers of requests, as Envoy counts them: an answer of 500 and above, or none, is a failure. For upstreams that are not
// HTTP they are of connections, which neither succeed nor fail.
type Counts struct{ Issued, Succeeded, Failed uint64 }

// Plus adds counts. What is too much for the type stays at its maximum: sidecars say what they like.
func (c Counts) Plus(other Counts) Counts {
	return Counts{saturated(c.Issued, other.Issued), saturated(c.Succeeded, other.Succeeded), saturated(c.Failed, other.Failed)}
}

func saturated(a, b uint64) uint64 {
	if sum := a + b; sum >= a {
		return sum
	}
	return ^uint64(0)
}

// Load is what one sidecar has sent to one upstream cluster since its last report.
type Load struct {
	Cluster string
	Counts
}

// Book keeps load reports. It is safe for concurrent use, and uses memory only while somebody reads.
type Book struct {
	now func() time.Time

	mu sync.Mutex
	// since and until are from when to when sidecars are asked; changed is closed when they are asked anew.
	since, until time.Time
	changed      chan struct{}
	reporters    map[string]*Reporter
	pairs        map[pair]*series
	clusters     map[identity.ServiceAccount]int
}

type pair struct {
	client  identity.ServiceAccount
	cluster string
}

// NewBook makes an empty Book. now is the clock.
func NewBook(now func() time.Time) *Book {
	return &Book{
		now: now, changed: make(chan struct{}),
		reporters: map[string]*Reporter{}, pairs: map[pair]*series{}, clusters: map[identity.ServiceAccount]int{},
	}
}

// Asked says until when sidecars are asked to report: a time in the past when they are not. The channel is closed when they are
// asked anew.
func (b *Book) Asked() (until time.Time, changed <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.until, b.changed
}

// ask makes sidecars report for as long as a reader is believed to read. The caller holds mu.
func (b *Book) ask(now time.Time) {
	if !now.Before(b.until) {
		b.since = now
		b.forget()
		close(b.changed)
		b.changed = make(chan struct{})
	}
	b.until = now.Add(Lease)
}

// forget empties the Book. The caller holds mu.
func (b *Book) forget() {
	clear(b.pairs)
	clear(b.clusters)
	for _, r := range b.reporters {
		r.reports = 0
	}
}

// enter adds a load to its series, if there is room. The caller holds mu.
func (b *Book) enter(client identity.ServiceAccount, load Load, began, now time.Time) bool {
	key := pair{client, load.Cluster}
	s := b.pairs[key]
	if s == nil {
		if len(load.Cluster) > maxName || len(b.pairs) >= maxPairs || b.clusters[client] >= maxClusters {
			return false
		}
		s = &series{since: began}
		b.pairs[key] = s
		b.clusters[client]++
	}
	s.add(load.Counts, now)
	return true
}

// tidy forgets series that nothing was reported of for a whole Window. The caller holds mu.
func (b *Book) tidy(now time.Time) {
	for key, s := range b.pairs {
		if now.Sub(s.last) <= Window {
			continue
		}
		delete(b.pairs, key)
		if b.clusters[key.client]--; b.clusters[key.client] == 0 {
			delete(b.clusters, key.client)
		}
	}
}
