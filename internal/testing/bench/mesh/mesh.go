package mesh

import (
	"fmt"
	"net/netip"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// Mode selects which services may call each other.
type Mode string

// The modes.
const (
	// Policy allows four other services to call each service.
	Policy Mode = "policy"
	// Visible is permissive mode, in which every sidecar has every service in its configuration.
	Visible Mode = "visible"
)

const (
	// TrustDomain is the trust domain of all meshes.
	TrustDomain = "mesh.bench"
	// Revision is the MeshRevision of all sidecars.
	Revision = "bench"
	// PodsPerService is the number of sidecars with the same identity.
	PodsPerService = 2
	// callers is the number of services that may call a service in mode Policy.
	callers = 4

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
		Mode: mode, Services: max(sidecars, least) / PodsPerService, Settings: &catalog.Settings{Permissive: mode == Visible, RetryPolicies: true},
		shrunk: map[int]bool{}, done: map[Kind]int{},
	}
}

// Sidecars returns the number of sidecars that connect.
func (m *Mesh) Sidecars() int { return m.Services * PodsPerService }

// Pod returns the pod of a sidecar. Sidecars 2i and 2i+1 belong to service i.
func (m *Mesh) Pod(sidecar int) *catalog.Pod {
	name := name(sidecar / PodsPerService)
	pod := fmt.Sprintf("%s-%d", name.Name, sidecar%PodsPerService)
	return &catalog.Pod{
		Name:           catalog.Name{Namespace: name.Namespace, Name: pod},
		UID:            fmt.Sprintf("00000000-0000-4000-8000-%012d", sidecar),
		ServiceAccount: name.Name,
		IPs:            []netip.Addr{address(10, sidecar)},
		Labels:         map[string]string{"app": name.Name},
		Workload:       catalog.Workload{Kind: "Pod", Name: pod},
		Injected:       true,
		Revision:       Revision,
	}
}

// AccountUID returns the UID of a service account.
func AccountUID(sa identity.ServiceAccount) string { return "account-" + sa.Name }

// Entries returns the initial entries of the mesh.
func (m *Mesh) Entries() []catalog.Entry {
	entries := []catalog.Entry{m.Settings}
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
		&catalog.Service{
			Name: name(i), ClusterIPs: []netip.Addr{address(172, i+servicesFrom)}, Selector: map[string]string{"app": name(i).Name},
			Ports: []catalog.Port{{Number: servicePort, TargetPort: containerPort, Protocol: catalog.ProtocolHTTP}},
		},
		m.slice(i, PodsPerService),
	}
	for n := range PodsPerService {
		entries = append(entries, m.Pod(i*PodsPerService+n))
	}
	if m.Mode != Visible {
		entries = append(entries, rules(i, 0), m.target(i))
	}
	return entries
}

// slice returns the initial endpoints of a service.
func (m *Mesh) slice(i, endpoints int) *catalog.EndpointSlice {
	slice := &catalog.EndpointSlice{
		Name:    catalog.Name{Namespace: name(i).Namespace, Name: name(i).Name + "-slice"},
		Service: name(i), Ports: map[string]uint16{"": containerPort},
	}
	for n := range endpoints {
		pod := m.Pod(i*PodsPerService + n)
		slice.Endpoints = append(slice.Endpoints, catalog.Endpoint{Address: pod.IPs[0], Pod: pod.Name, Ready: true})
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
	return []catalog.TargetRule{{Kind: catalog.KindHTTPRouteGroup, Name: name(i).Name}}
}

// Account returns the identity of a service.
func Account(i int) identity.ServiceAccount { return identity.ServiceAccount(name(i)) }

func name(i int) catalog.Name {
	return catalog.Name{Namespace: fmt.Sprintf("team-%d", i/perNamespace), Name: fmt.Sprintf("service-%d", i)}
}

// address returns one of 2^24 addresses with the same first byte.
func address(first byte, n int) netip.Addr {
	return netip.AddrFrom4([4]byte{first, byte(n >> 16), byte(n >> 8), byte(n)})
}

// NodeID returns the node ID of a sidecar, in OSM's form.
func (m *Mesh) NodeID(sidecar int) string {
	pod := m.Pod(sidecar)
	return fmt.Sprintf("%s.sidecar.%s.%s.%s", pod.UID, pod.ServiceAccount, pod.Name.Namespace, TrustDomain)
}
