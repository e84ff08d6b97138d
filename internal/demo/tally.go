package demo

import (
	"maps"
	"sync"
)

// recentVisits is the number of latest books in the recent split. It is large enough to distinguish 90/10 from 50/50, and
// small enough to show a changed TrafficSplit within two minutes at the default pace.
const recentVisits = 50

// Counters holds a client's counts since its start. It is the body of /counters.
type Counters struct {
	// App is the program, such as "bookbuyer".
	App string `json:"app"`
	// Requests is the number of completed requests, including failures.
	Requests int `json:"requests"`
	// Outcomes counts requests by status code ("200", "403") or kind of failure ("refused", "reset", "timeout",
	// "no-such-host", "failed").
	Outcomes map[string]int `json:"outcomes"`
	// Paths counts requests by path, then by outcome.
	Paths map[string]map[string]int `json:"paths"`
	// Identities counts books by the header Identity of the version that sold them.
	Identities map[string]int `json:"identities"`
	// Percent is the share of each identity in all books, from 0 to 100.
	Percent map[string]float64 `json:"percent"`
	// RecentPercent is the share of each identity in the last 50 books.
	RecentPercent map[string]float64 `json:"recentPercent"`
}

// Tally counts visits. It is safe for concurrent use.
type Tally struct {
	app string

	mu         sync.Mutex
	requests   int
	outcomes   map[string]int
	paths      map[string]map[string]int
	identities map[string]int
	recent     []string // identities of the last books, oldest first
}

// NewTally returns an empty tally of the given program.
func NewTally(app string) *Tally {
	return &Tally{app: app, outcomes: map[string]int{}, paths: map[string]map[string]int{}, identities: map[string]int{}}
}

// Add counts one completed request.
func (t *Tally) Add(v Visit) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.requests++
	t.outcomes[v.Outcome]++
	if t.paths[v.Path] == nil {
		t.paths[v.Path] = map[string]int{}
	}
	t.paths[v.Path][v.Outcome]++
	if v.Path != PathBuyBook || v.Outcome != "200" {
		return
	}
	t.identities[v.Identity]++
	t.recent = append(t.recent, v.Identity)
	if len(t.recent) > recentVisits {
		t.recent = t.recent[1:]
	}
}

// Counters returns a copy of the current counts.
func (t *Tally) Counters() Counters {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := Counters{
		App:           t.app,
		Requests:      t.requests,
		Outcomes:      maps.Clone(t.outcomes),
		Paths:         map[string]map[string]int{},
		Identities:    maps.Clone(t.identities),
		Percent:       percent(t.identities),
		RecentPercent: percent(countEach(t.recent)),
	}
	for path, outcomes := range t.paths {
		c.Paths[path] = maps.Clone(outcomes)
	}
	return c
}

func countEach(names []string) map[string]int {
	counts := map[string]int{}
	for _, n := range names {
		counts[n]++
	}
	return counts
}

// percent converts counts to percentages of their sum.
func percent(counts map[string]int) map[string]float64 {
	sum := 0
	for _, n := range counts {
		sum += n
	}
	shares := map[string]float64{}
	for name, n := range counts {
		shares[name] = 100 * float64(n) / float64(sum)
	}
	return shares
}
