package page

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/openservicemesh/osm-operator/internal/cli/tap"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// Bounds on the sample of access logs from which latencies come.
const (
	sampleInterval = 15 * time.Second
	samplePeriod   = time.Minute
	sampleTimeout  = 3 * time.Second
	// sampledPods is the maximum number of pods, and sampledLines that of lines of each.
	sampledPods  = 20
	sampledLines = 300
)

// Sampler samples the requests of the busiest clients. It keeps a sample for some seconds.
type Sampler struct {
	Logs Logs
	Now  func() time.Time

	mu   sync.Mutex
	at   time.Time
	last *sample
	err  error
}

// sample are requests without regard to their results, as far as that is known.
type sample struct {
	// durations are in milliseconds by edge, sorted.
	durations map[between][]float64
	// undecided is the number of logged requests that do not count, because their identifier does not show whether the share selects them.
	undecided int
}

// latencies returns a sample of the requests that a share selects. Others are logged for their failure or their duration.
func (p *Sampler) latencies(ctx context.Context, edges []Edge, sidecars []Sidecar, share tap.Share) (*sample, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if share == 0 {
		return &sample{}, nil
	}
	if p.last != nil && p.Now().Sub(p.at) < sampleInterval {
		return p.last, p.err
	}
	ctx, cancel := context.WithTimeout(ctx, sampleTimeout)
	defer cancel()
	events, failures := p.Logs.read(ctx, busiestPods(edges, sidecars), LogOptions{Since: samplePeriod, Lines: sampledLines})
	accounts := accountsOf(sidecars)
	p.at, p.last, p.err = p.Now(), &sample{durations: map[between][]float64{}}, nil
	for _, e := range events {
		if key, ok := edgeOf(accounts[e.Namespace+"/"+e.Pod], e.Peer); ok && e.Direction == tap.Outbound && e.IsRequest() && e.Status > 0 {
			p.last.add(key, e, share)
		}
	}
	for _, durations := range p.last.durations {
		slices.Sort(durations)
	}
	if len(failures) > 0 {
		p.err = fmt.Errorf("%d access logs cannot be read: %w", len(failures), failures[0])
	}
	return p.last, p.err
}

func (s *sample) add(key between, e tap.Event, share tap.Share) {
	selected, known := share.Selects(e.RequestID)
	if selected {
		s.durations[key] = append(s.durations[key], e.Milliseconds)
	}
	if !known {
		s.undecided++
	}
}

// busiestPods returns one pod of each client with traffic, the busiest clients first.
func busiestPods(edges []Edge, sidecars []Sidecar) []tap.Sidecar {
	rates := map[string]float64{}
	for _, e := range edges {
		if account := accountOfNode(e.From); account != "" && e.Rate > 0 {
			rates[account] += e.Rate
		}
	}
	busiest := slices.SortedFunc(maps.Keys(rates), func(a, b string) int { return cmp.Or(cmp.Compare(rates[b], rates[a]), strings.Compare(a, b)) })
	var pods []tap.Sidecar
	for _, account := range busiest[:min(len(busiest), sampledPods)] {
		pods = append(pods, podsOf(sidecars, account)[:min(1, len(podsOf(sidecars, account)))]...)
	}
	return pods
}

// addSample adds latencies to edges.
func (s *State) addSample(sample *sample) {
	for i := range s.Edges {
		e := &s.Edges[i]
		if durations := sample.durations[between{e.From, e.To, e.Port}]; len(durations) > 0 && !e.Backs {
			p50, p99 := quantile(durations, 0.5), quantile(durations, 0.99)
			e.P50, e.P99 = &p50, &p99
		}
	}
}

// quantile returns the value that a share of sorted values does not exceed.
func quantile(sorted []float64, share float64) float64 {
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
}

// nameOfNode returns the name of a node of a kind.
func nameOfNode(id, kind string) (string, bool) { return strings.CutPrefix(id, kind+":") }

// accountOfNode returns the service account of a workload, or "".
func accountOfNode(id string) string {
	if account, ok := nameOfNode(id, Workload); ok {
		return account
	}
	return ""
}

// accountsOf returns the service accounts of pods, "<namespace>/<name>".
func accountsOf(sidecars []Sidecar) map[string]string {
	accounts := map[string]string{}
	for _, s := range sidecars {
		accounts[s.Namespace+"/"+s.Pod] = s.Namespace + "/" + s.ServiceAccount
	}
	return accounts
}

// podsOf returns the pods of a service account, in the order of sidecars.
func podsOf(sidecars []Sidecar, account string) []tap.Sidecar {
	own := lists.Filter(sidecars, func(s Sidecar) bool { return s.Namespace+"/"+s.ServiceAccount == account })
	return lists.Map(own, Sidecar.log)
}
