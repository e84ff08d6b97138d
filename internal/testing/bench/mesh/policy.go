package mesh

import (
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// Kinds of changes of traffic policies.
const (
	// Split changes the weights between a service and a neighbour.
	Split Kind = "split"
	// Limits changes the connection and request limits of a service.
	Limits Kind = "limits"
	// Retry changes the retry policy of one client of a service.
	Retry Kind = "retry"
)

// PolicyOnly returns the kinds that are measured in mode Policy only.
func PolicyOnly() []Kind { return []Kind{Rules, Grant, Split, Limits, Retry} }

func (m *Mesh) split(i, version int) Change {
	neighbour := i + 1
	// The neighbour has no limits of its own, so the root's limits apply to it.
	if neighbour >= m.Services || name(neighbour).Namespace != name(i).Namespace {
		neighbour = i - 1
	}
	s := &catalog.TrafficSplit{Name: name(i), Root: name(i), Backends: []catalog.SplitBackend{
		{Service: name(i), Weight: uint32(version + 1)}, {Service: name(neighbour), Weight: 1},
	}}
	return Change{Changes: []catalog.Change{catalog.Set(s)}, Candidates: union(append(m.clientsOf(i), neighbour), m.clientsOf(neighbour))}
}

func (m *Mesh) limits(i, version int) Change {
	limit := uint32(version + 1)
	rate := catalog.RequestRateLimit{RateLimit: catalog.RateLimit{Tokens: limit, Interval: time.Second}, Status: 429}
	u := &catalog.UpstreamTrafficSetting{
		Kind: catalog.KindUpstreamTrafficSetting, Name: name(i), Service: name(i),
		Connections: catalog.ConnectionSettings{MaxConnections: &limit}, RequestRate: &rate,
	}
	return Change{Changes: []catalog.Change{catalog.Set(u)}, Candidates: union(m.clientsOf(i), []int{i})}
}

func (m *Mesh) retry(i, version int) Change {
	client := m.callersOf(i)[0]
	r := &catalog.Retry{
		Name: name(i), Source: Account(client), Destinations: []catalog.Name{name(i)},
		Policy: catalog.RetryPolicy{On: "5xx", Count: uint32(version + 1)},
	}
	return Change{Changes: []catalog.Change{catalog.Set(r)}, Candidates: []int{client}}
}

// union returns the sorted union without duplicates.
func union(a, b []int) []int {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
