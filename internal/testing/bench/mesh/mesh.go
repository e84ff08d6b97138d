package mesh

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/retry"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// Mode selects which services may call each other.
type Mode string

// The modes.
const (
	// Policy allows four other services to call each service.
	Policy Mode = "policy"
	// Visible is permissive mode, in which every sidecar has every service in its configuration.
	Visible Mode = "visible"
	// OnDemand is Visible with sidecars that load destinations at the first connection. Each uses some services.
	OnDemand Mode = "ondemand"
)

// Modes returns all modes in the order of measurement.
func Modes() []Mode { return []Mode{Policy, Visible, OnDemand} }

// IsPermissive reports whether every service may call every other.
func (m Mode) IsPermissive() bool { return m != Policy }

const (
	// TrustDomain is the trust domain of all meshes.
	TrustDomain = "mesh.bench"
	// Revision is the MeshRevision of all sidecars.
	Revision = "bench"
	// PodsPerService is the number of sidecars with the same identity.
	PodsPerService = 2
	// callers is the number of services that may call a service in mode Policy.
	callers = 4
	// used is the number of services that each service calls in mode OnDemand.
	used = 10

	// servicesFrom is the first number of addresses of Services. An API server uses the first of its range itself.
	servicesFrom = 256

	servicePort   = 80
	containerPort = 8080
	perNamespace  = 50
)

// Mesh is a mesh of services with two sidecars each, and the state of its changes.
type Mesh struct {
	Mode Mode
	// Services is the number of services whose sidecars connect. Changes can add others.
	Services int
	// Settings are those of the MeshConfig.
	Settings *catalog.Settings
	// Routes is the number of HTTPRoutes of each service. Kind Route needs at least one.
	Routes int
	// Created is when an API server created each HTTPRoute. Of two routes with prefixes of one length, the older comes first.
	Created map[entity.Name]time.Time

	// shrunk are the services without one of their endpoints.
	shrunk map[int]bool
	// done counts the changes of each kind.
	done map[Kind]int
}

// least is the number of sidecars of the smallest mesh.
const least = 40

// New returns a mesh with at least 40 sidecars, all of which connect.
func New(mode Mode, sidecars int) *Mesh {
	return &Mesh{
		Mode: mode, Services: max(sidecars, least) / PodsPerService, Settings: &catalog.Settings{Permissive: mode.IsPermissive(), RetryPolicies: true},
		shrunk: map[int]bool{}, done: map[Kind]int{},
	}
}

// Sidecars returns the number of sidecars that connect.
func (m *Mesh) Sidecars() int { return m.Services * PodsPerService }

// Pod returns the pod of a sidecar. Sidecars 2i and 2i+1 belong to service i.
func (m *Mesh) Pod(sidecar int) *inventory.Instance {
	name := name(sidecar / PodsPerService)
	pod := fmt.Sprintf("%s-%d", name.Name, sidecar%PodsPerService)
	return &inventory.Instance{
		Name:           entity.Name{Namespace: name.Namespace, Name: pod},
		ID:             entity.InstanceID(fmt.Sprintf("00000000-0000-4000-8000-%012d", sidecar)),
		ServiceAccount: name.Name,
		IPs:            []netip.Addr{address(10, sidecar)},
		Labels:         map[string]string{"app": name.Name},
		Workload:       inventory.Workload{Kind: "Pod", Name: pod},
		Injected:       true,
		Revision:       Revision,
		OnDemand:       m.Mode == OnDemand,
	}
}

// AccountUID returns the UID of a service account.
func AccountUID(sa identity.ServiceAccount) string { return "account-" + sa.Name }

// Entries returns the initial entries of the mesh.
func (m *Mesh) Entries() []catalog.Entry {
	entries := []catalog.Entry{m.Settings}
	if m.Mode == OnDemand {
		entries = append(entries, &catalog.ServiceCIDR{Name: "kubernetes", Ranges: []netip.Prefix{netip.PrefixFrom(address(serviceByte, 0), 8)}})
	}
	for i := 0; i < m.Services; i += perNamespace {
		entries = append(entries, &catalog.Namespace{Name: name(i).Namespace, Monitored: true})
	}
	for i := range m.Services {
		entries = append(entries, m.service(i)...)
	}
	return entries
}

// service returns a service with its account, pods and endpoints, and who may call it.
func (m *Mesh) service(i int) []catalog.Entry {
	entries := []catalog.Entry{
		&catalog.ServiceAccount{Name: name(i), UID: AccountUID(Account(i))},
		&inventory.Service{
			Name: name(i), ClusterIPs: []netip.Addr{virtualAddress(i)}, Selector: map[string]string{"app": name(i).Name},
			Ports: []inventory.Port{{Number: servicePort, TargetPort: containerPort, Protocol: inventory.ProtocolHTTP}},
		},
		m.slice(i, PodsPerService),
	}
	for n := range PodsPerService {
		entries = append(entries, m.Pod(i*PodsPerService+n))
	}
	if !m.Mode.IsPermissive() {
		entries = append(entries, rules(i, 0), m.target(i))
	}
	for n := range m.Routes {
		entries = append(entries, m.route(i, n, 0))
	}
	return entries
}

// slice returns the initial endpoints of a service.
func (m *Mesh) slice(i, endpoints int) *inventory.EndpointSlice {
	slice := &inventory.EndpointSlice{
		Name:    entity.Name{Namespace: name(i).Namespace, Name: name(i).Name + "-slice"},
		Service: name(i), Ports: map[string]uint16{"": containerPort},
	}
	for n := range endpoints {
		pod := m.Pod(i*PodsPerService + n)
		slice.Endpoints = append(slice.Endpoints, inventory.Endpoint{Address: pod.IPs[0], Pod: pod.Name, Ready: true})
	}
	return slice
}

// target allows the next services to call a service.
func (m *Mesh) target(i int) *catalog.TrafficTarget {
	t := &catalog.TrafficTarget{Name: name(i), Destination: Account(i), Rules: rulesOf(i)}
	for _, caller := range m.callersOf(i) {
		t.Sources = append(t.Sources, Account(caller))
	}
	return t
}

func (m *Mesh) callersOf(i int) []int {
	list := make([]int, callers)
	for n := range list {
		list[n] = (i + 1 + n) % m.Services
	}
	return list
}

// rules returns the allowed requests; the version is part of one path.
func rules(i, version int) *catalog.HTTPRouteGroup {
	return &catalog.HTTPRouteGroup{Name: name(i), Matches: []catalog.HTTPMatch{
		{Name: "read", PathRegex: "/items(/.*)?", Methods: []string{"GET"}},
		{Name: "write", PathRegex: "/items", Methods: []string{"POST"}},
		{Name: "versioned", PathRegex: fmt.Sprintf("/v%d/.*", version)},
	}}
}

func rulesOf(i int) []catalog.TargetRule {
	return []catalog.TargetRule{{Kind: entity.KindHTTPRouteGroup, Name: name(i).Name}}
}

// Account returns the identity of a service.
func Account(i int) identity.ServiceAccount { return identity.ServiceAccount(name(i)) }

func name(i int) entity.Name {
	return entity.Name{Namespace: fmt.Sprintf("team-%d", i/perNamespace), Name: fmt.Sprintf("service-%d", i)}
}

// serviceByte is the first byte of the virtual addresses.
const serviceByte = 172

func virtualAddress(service int) netip.Addr { return address(serviceByte, service+servicesFrom) }

// address returns one of 2^24 addresses with the same first byte.
func address(first byte, n int) netip.Addr {
	return netip.AddrFrom4([4]byte{first, byte(n >> 16), byte(n >> 8), byte(n)})
}

// NodeID returns the node ID of a sidecar, in OSM's form.
func (m *Mesh) NodeID(sidecar int) string {
	pod := m.Pod(sidecar)
	return fmt.Sprintf("%s.sidecar.%s.%s.%s", pod.ID, pod.ServiceAccount, pod.Name.Namespace, TrustDomain)
}

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
	// Split changes the weights between a service and a neighbour.
	Split Kind = "split"
	// Limits changes the connection and request limits of a service.
	Limits Kind = "limits"
	// Retry changes the retry policy of one client of a service.
	Retry Kind = "retry"
	// Route changes one of the HTTPRoutes of a service. No mode has it: a mesh needs Routes for it.
	Route Kind = "route"
)

// Kinds returns the kinds of changes of a mode, in the order of measurement. A permissive mesh has no policies.
func Kinds(mode Mode) []Kind {
	if mode.IsPermissive() {
		return []Kind{Nothing, Endpoint, NewService}
	}
	return []Kind{Nothing, Endpoint, Rules, Limits, Retry, Split, Grant, NewService}
}

// Change is one change of a mesh.
type Change struct {
	Changes []catalog.Change
	// Candidates are the only services whose sidecars the change can affect.
	Candidates []int
	// Endpoints is the service whose endpoints are the only difference; zero if there are others.
	Endpoints entity.Name
	// Added is the service that is the only addition for every candidate; zero for other kinds of changes.
	Added entity.Name
}

// Next returns the next change of a kind. Each must be applied once, in order.
func (m *Mesh) Next(kind Kind) Change {
	n := m.done[kind]
	m.done[kind]++
	i := n * stride % m.Services
	switch kind {
	case Endpoint:
		return m.endpoint(i)
	case Grant:
		return m.grant(i, n/m.Services)
	case Rules:
		return Change{Changes: []catalog.Change{catalog.Set(rules(i, n+1))}, Candidates: []int{i}}
	case Split:
		return m.split(i, n)
	case Limits:
		return m.limits(i, n)
	case Retry:
		return m.retry(i, n)
	case Route:
		return Change{Changes: []catalog.Change{catalog.Set(m.route(i, n%m.Routes, n+1))}, Candidates: m.clientsOf(i)}
	case NewService:
		return m.newService(m.Services + n)
	default:
		return Change{}
	}
}

// stride is a prime, so that consecutive changes affect different sidecars.
const stride = 13

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
		Name:        entity.Name{Namespace: name(i).Namespace, Name: fmt.Sprintf("grant-%d-%d", i, round)},
		Destination: Account(i), Rules: rulesOf(i),
	}
	target.Sources = append(target.Sources, Account(caller))
	return Change{Changes: []catalog.Change{catalog.Set(target)}, Candidates: []int{i, caller}}
}

func (m *Mesh) newService(i int) Change {
	c := Change{Candidates: m.clientsOf(i), Added: name(i)}
	entries := append([]catalog.Entry{&catalog.Namespace{Name: name(i).Namespace, Monitored: true}}, m.service(i)...)
	for _, entry := range entries {
		c.Changes = append(c.Changes, catalog.Set(entry))
	}
	return c
}

// clientsOf returns the services whose sidecars have a service in their configuration.
func (m *Mesh) clientsOf(i int) []int {
	switch m.Mode {
	case Policy:
		return m.callersOf(i)
	case OnDemand:
		return m.usersOf(i)
	}
	all := make([]int, m.Services)
	for n := range all {
		all[n] = n
	}
	return all
}

// usersOf returns the services that call a service; none for a new one.
func (m *Mesh) usersOf(i int) []int {
	if i >= m.Services {
		return nil
	}
	list := make([]int, used)
	for n := range list {
		list[n] = (i + 1 + n) % m.Services
	}
	return list
}

// Destinations returns the names by which a sidecar asks for the services that it calls.
func (m *Mesh) Destinations(sidecar int) []string {
	if m.Mode != OnDemand {
		return nil
	}
	list := make([]string, used)
	for n := range list {
		list[n] = DestinationName((sidecar/PodsPerService - 1 - n + m.Services) % m.Services)
	}
	return list
}

// DestinationName is the name by which sidecars ask for a service.
func DestinationName(service int) string { return scope.OnDemandName(destinationOf(service)) }

func destinationOf(service int) netip.AddrPort {
	return netip.AddrPortFrom(virtualAddress(service), servicePort)
}

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
	rate := upstream.RequestRateLimit{RateLimit: upstream.RateLimit{Tokens: limit, Interval: time.Second}, Status: 429}
	u := &upstream.Policy{
		Kind: upstream.Kind, Name: name(i), Service: name(i),
		Connections: upstream.ConnectionSettings{MaxConnections: &limit}, RequestRate: &rate,
	}
	return Change{Changes: []catalog.Change{catalog.Set(u)}, Candidates: union(m.clientsOf(i), []int{i})}
}

func (m *Mesh) retry(i, version int) Change {
	client := m.callersOf(i)[0]
	r := &retry.Policy{
		Name: name(i), Source: Account(client), Destinations: []entity.Name{name(i)},
		Settings: retry.Settings{On: "5xx", Count: uint32(version + 1)},
	}
	return Change{Changes: []catalog.Change{catalog.Set(r)}, Candidates: []int{client}}
}

// union returns the sorted union without duplicates.
func union(a, b []int) []int {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// Toggles is the number of steps of Toggle after which a service is restored.
const Toggles = 8

// Toggle returns one step of changes that cancel each other out: each service in turn loses and regains an endpoint, its rules
// change and change back, and a grant and another service are added and removed. Growth over many steps is a leak.
func (m *Mesh) Toggle(n int) []catalog.Change {
	i := n / Toggles * stride % m.Services
	entries := func() []catalog.Entry {
		switch n % Toggles {
		case 0:
			return []catalog.Entry{m.slice(i, PodsPerService-1)}
		case 1:
			return []catalog.Entry{m.slice(i, PodsPerService)}
		case 2, 3:
			return []catalog.Entry{rules(i, 3-n%Toggles)}
		case 4, 5:
			return []catalog.Entry{m.grant(i, 0).Changes[0].Entry}
		}
		extra := m.Services + i
		return m.service(extra)
	}()
	changes := make([]catalog.Change, len(entries))
	for at, entry := range entries {
		changes[at] = catalog.Set(entry)
		if step := n % Toggles; step == 5 || step == 7 {
			changes[at] = catalog.Change{Ref: entry.Ref()}
		}
	}
	return changes
}
