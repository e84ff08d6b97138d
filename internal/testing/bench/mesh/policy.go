package mesh

import (
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/catalog"
)

// The kinds of changes of policies other than those of access.
const (
	// Split divides the requests to a service between itself and a neighbour, each time in another way.
	Split Kind = "split"
	// Limits bounds the connections to a service and the requests that it takes, each time in another way.
	Limits Kind = "limits"
	// Retry lets one client of a service repeat requests, each time in another way.
	Retry Kind = "retry"
)

// PolicyOnly are the kinds that are measured where policies say who may call whom.
func PolicyOnly() []Kind { return []Kind{Rules, Grant, Split, Limits, Retry} }

func (m *Mesh) split(i, version int) Change {
	neighbour := i + 1
	// The neighbour has no limits of its own, so those of its root become its limits.
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

// union is sorted and has nothing twice.
func union(a, b []int) []int {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
