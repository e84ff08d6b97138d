package mesh

import (
	"fmt"

	"github.com/openservicemesh/osm-operator/internal/catalog"
)

// Kind is a kind of change.
type Kind string

// The kinds of changes.
const (
	// Nothing changes nothing: what the measurement itself costs.
	Nothing Kind = "nothing"
	// Endpoint takes one of two endpoints from a service, or gives it back.
	Endpoint Kind = "endpoint"
	// Grant lets one more service call another.
	Grant Kind = "grant"
	// Rules changes which requests may be sent to a service by those who may call it.
	Rules Kind = "rules"
	// NewService adds a service with two pods, and in the mode Policy lets four others call it.
	NewService Kind = "new service"
	// Elsewhere is Endpoint for a service that no connected sidecar may call. There must be such services.
	Elsewhere Kind = "endpoint elsewhere"
)

// Change is one step in the life of a mesh.
type Change struct {
	Changes []catalog.Change
	// Candidates are the services whose sidecars may have to be told; no others.
	Candidates []int
	// Endpoints names the service whose endpoints are all that differs; zero when more may.
	Endpoints catalog.Name
	// Added names the service that is all that is added, to every candidate; zero when the change is of another kind.
	Added catalog.Name
}

// Next is the next change of a kind. Each is made once, in order.
func (m *Mesh) Next(kind Kind) Change {
	n := m.done[kind]
	m.done[kind]++
	among := m.changing()
	i := n * stride % among
	switch kind {
	case Endpoint:
		return m.endpoint(i)
	case Elsewhere:
		first := m.Connected + callers
		c := m.endpoint(first + n*stride%(m.Services-callers-first))
		return Change{Changes: c.Changes}
	case Grant:
		return m.grant(i, n/among)
	case Rules:
		return Change{Changes: []catalog.Change{catalog.Set(rules(i, n+1))}, Candidates: []int{i}}
	case Split:
		return m.split(i, n)
	case Limits:
		return m.limits(i, n)
	case Retry:
		return m.retry(i, n)
	case NewService:
		return m.newService(m.Services + n)
	default:
		return Change{}
	}
}

// stride is a prime, so that changes in a row concern sidecars that have nothing to do with each other.
const stride = 13

// changing is how many services changes are made to, in turn: those of which all that may have to be told are connected.
func (m *Mesh) changing() int {
	if m.Connected == m.Services {
		return m.Services
	}
	among := m.Connected - 2*callers
	if among%stride == 0 {
		among--
	}
	return among
}

func (m *Mesh) endpoint(i int) Change {
	m.shrunk[i] = !m.shrunk[i]
	endpoints := PodsPerService
	if m.shrunk[i] {
		endpoints--
	}
	return Change{
		Changes:    []catalog.Change{catalog.Set(m.slice(i, endpoints))},
		Candidates: m.clientsOf(i), Endpoints: name(i),
	}
}

// grant lets a service call another; the round makes repeated grants to the same service differ.
func (m *Mesh) grant(i, round int) Change {
	caller := (i + callers + 1 + round) % m.Services
	target := &catalog.TrafficTarget{
		Name:        catalog.Name{Namespace: name(i).Namespace, Name: fmt.Sprintf("grant-%d-%d", i, round)},
		Destination: Account(i), Rules: rulesOf(i),
	}
	target.Sources = append(target.Sources, Account(caller))
	return Change{Changes: []catalog.Change{catalog.Set(target)}, Candidates: []int{i, caller}}
}

func (m *Mesh) newService(i int) Change {
	c := Change{Candidates: m.clientsOf(i), Added: name(i)}
	entries := append(m.service(i), &catalog.Namespace{Name: name(i).Namespace, Monitored: true})
	if m.Mode == Policy {
		entries = append(entries, rules(i, 0), m.target(i))
	}
	for _, entry := range entries {
		c.Changes = append(c.Changes, catalog.Set(entry))
	}
	return c
}

// clientsOf are the services whose sidecars know a service.
func (m *Mesh) clientsOf(i int) []int {
	if m.Mode == Policy {
		return m.callersOf(i)
	}
	all := make([]int, m.Services)
	for n := range all {
		all[n] = n
	}
	return all
}
