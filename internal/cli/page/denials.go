package page

import (
	"cmp"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// recently is how long a denial is part of the graph, like the period of rates.
const recently = time.Minute

// noIdentity stands for clients that proved none.
const noIdentity = "clients without identity"

func isRecent(d report.Denial, at time.Time) bool { return d.Rate > 0 || at.Sub(d.Last) < recently }

// addDenial adds a denial to the edge of its client and destination. A denial at a server belongs to the Service that the client calls.
func (g *graph) addDenial(d report.Denial, backing Backing) {
	from := Outside + ":" + noIdentity
	if d.Client != "" {
		from = Workload + ":" + d.Client
	}
	edge := g.edge(g.deniedEdge(from, d, backing))
	edge.Denied += d.Rate
	edge.Denials += d.Count
	if !slices.Contains(edge.Reasons, d.Reason) {
		edge.Reasons = append(edge.Reasons, d.Reason)
		slices.Sort(edge.Reasons)
	}
	g.nodes[from].Denied = true
}

func (g *graph) deniedEdge(from string, d report.Denial, backing Backing) between {
	key := between{from: from, to: Outside + ":" + d.Address}
	switch {
	case d.Service != "":
		key.to = Service + ":" + d.Service
	case d.Server != "":
		key.to = Workload + ":" + d.Server
	}
	var known []between
	for k := range g.edges {
		service := g.nodes[k.to]
		behind := d.Service == "" && d.Server != "" && service.Kind == Service && slices.Contains(backing[service.Name], d.Server)
		if k.from == from && (k.to == key.to || behind) {
			known = append(known, k)
		}
	}
	if len(known) == 0 {
		return key
	}
	return slices.MinFunc(known, func(a, b between) int { return cmp.Or(cmp.Compare(a.to, b.to), cmp.Compare(a.port, b.port)) })
}

// sortDenials returns denials with the recent ones first, and the most frequent of these first.
func sortDenials(list []report.Denial, at time.Time) []report.Denial {
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, func(a, b report.Denial) int {
		if recent := isRecent(a, at); recent != isRecent(b, at) {
			return map[bool]int{true: -1, false: 1}[recent]
		}
		return cmp.Or(cmp.Compare(b.Rate, a.Rate), b.Last.Compare(a.Last))
	})
	return sorted
}

// addRates adds what load reports and denials say about the destination of each TrafficTarget. Objects are in the order of policies.
func (s *State) addRates(objects []*unstructured.Unstructured, backing Backing) {
	for i, object := range objects {
		destination, sources := parties(object)
		if destination == "" {
			continue
		}
		var allowed float64
		for _, e := range s.Edges {
			if service, ok := nameOfNode(e.To, Service); ok && sources[accountOfNode(e.From)] && slices.Equal(backing[service], []string{destination}) {
				allowed += e.Rate
			}
		}
		s.Policies[i].Allowed = &allowed
		if s.Denials != nil {
			denied := s.deniedAt(destination, backing, nil)
			s.Policies[i].Denied = &denied
		}
	}
}

// deniedAt is the number of denials per second at a workload, of all clients except some.
func (s *State) deniedAt(destination string, backing Backing, except map[string]bool) float64 {
	sum := 0.0
	for _, d := range s.Denials {
		if !except[d.Client] && (d.Server == destination || slices.Contains(backing[d.Service], destination)) {
			sum += d.Rate
		}
	}
	return sum
}
