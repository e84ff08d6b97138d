package mesh

import (
	"fmt"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// Kind is a kind of change.
type Kind string

// The kinds of changes.
const (
	// Nothing changes nothing. It measures the cost of the measurement itself.
	Nothing Kind = "nothing"
	// Endpoint removes one of two endpoints of a service, or restores it.
	Endpoint Kind = "endpoint"
	// Grant allows one more service to call another.
	Grant Kind = "grant"
	// Rules changes the requests that are allowed for existing clients of a service.
	Rules Kind = "rules"
	// NewService adds a service with two pods; in mode Policy four others may call it.
	NewService Kind = "new service"
)

// Change is one change of a mesh.
type Change struct {
	Changes []catalog.Change
	// Candidates are the only services whose sidecars the change can affect.
	Candidates []int
	// Endpoints is the service whose endpoints are the only difference; zero if there are others.
	Endpoints catalog.Name
	// Added is the service that is the only addition for every candidate; zero for other kinds of changes.
	Added catalog.Name
}

// Next returns the next change of a kind. Each must be applied once, in order.
func (m *Mesh) Next(kind Kind) Change {
	n := m.done[kind]
	m.done[kind]++
	among := m.changing()
	i := n * stride % among
	switch kind {
	case Endpoint:
		return m.endpoint(i)
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
	case Egress, Ingress, Authorizer:
		return m.outsideEdit(kind, i, n)
	default:
		return Change{}
	}
}

// stride is a prime, so that consecutive changes affect different sidecars.
const stride = 13

// changing returns the number of services that are changed in turn: those whose affected sidecars are all connected.
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

// grant allows a service to call another; round distinguishes repeated grants.
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
	entries := append([]catalog.Entry{&catalog.Namespace{Name: name(i).Namespace, Monitored: true}}, m.service(i)...)
	if m.Mode != Visible {
		entries = append(entries, rules(i, 0), m.target(i))
	}
	for _, entry := range entries {
		c.Changes = append(c.Changes, catalog.Set(entry))
	}
	return c
}

// clientsOf returns the services whose sidecars have a service in their configuration.
func (m *Mesh) clientsOf(i int) []int {
	if m.Mode != Visible {
		return m.callersOf(i)
	}
	all := make([]int, m.Services)
	for n := range all {
		all[n] = n
	}
	return all
}
