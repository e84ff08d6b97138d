package pods_test

import (
	"io"
	"math"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// peerShare is how many percent of the requests the peer answers.
const peerShare = 20

// TestPeerAnswersAShare calls Services of the client's mesh of which a peer answers a share. It does not depend on the number of pods, and nothing fails while
// one of the two meshes answers.
func TestPeerAnswersAShare(t *testing.T) {
	t.Parallel()
	m := newMeshes(t)
	first, second := m.newLocal(t, "first"), m.newLocal(t, "second")
	lost := []netip.Addr{netip.MustParseAddr("10.77.99.2"), netip.MustParseAddr("10.77.99.3"), netip.MustParseAddr("10.77.99.4")}
	for _, step := range []struct {
		name    string
		local   []netip.Addr
		leaving []netip.Addr
		share   float64
	}{
		{"both", []netip.Addr{first.IP}, []netip.Addr{m.leaving.IP}, peerShare},
		{"more pods of this mesh", []netip.Addr{first.IP, second.IP}, []netip.Addr{m.leaving.IP}, peerShare},
		{"the peer has no endpoint", []netip.Addr{first.IP}, nil, 0},
		{"the gateway does not answer", []netip.Addr{first.IP}, lost[:1], 0},
		{"this mesh has no endpoint", nil, []netip.Addr{m.leaving.IP}, 100},
		{"no pod of this mesh answers", lost, []netip.Addr{m.leaving.IP}, 100},
		{"both again", []netip.Addr{first.IP}, []netip.Addr{m.leaving.IP}, peerShare},
	} {
		m.configureSpread(t, step.local, step.leaving)
		expectShare(t, step.name+": requests", step.share, 600, func() bool { return m.requestLeaves(t, step.name) })
		expectShare(t, step.name+": connections", step.share, 200, func() bool { return m.connectionLeaves(t, step.name) })
	}
}

// newLocal starts a server in the mesh of the client.
func (m *meshes) newLocal(t *testing.T, name string) *pods.Pod {
	t.Helper()
	m.network.Accounts[name] = books
	local := m.network.Pod(t, name)
	local.CA = m.east
	local.ServeHTTP(t, 8080, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "local") }))
	local.ServeTCP(t, 3306, func(c net.Conn) { _, _ = io.WriteString(c, "local\n") })
	s := localScope()
	s.Inbound = append(s.Inbound, scope.Inbound{Service: database, Port: 3306, TargetPort: 3306, Protocol: inventory.ProtocolTCPServerFirst, Rules: authz.Rules{Permissive: true}})
	local.Configure(t, s)
	return local
}

// requestLeaves reports whether the peer answers a request.
func (m *meshes) requestLeaves(t *testing.T, step string) bool {
	t.Helper()
	got := m.client.Get(t, "http://10.96.0.1/books/1")
	if got.Status != http.StatusOK {
		t.Fatalf("%s: status %d: %s", step, got.Status, got.Body)
	}
	return !strings.Contains(got.Body, "local")
}

// connectionLeaves reports whether the peer answers a connection. The first ones to servers that do not answer are lost, because TCP is not repeated.
func (m *meshes) connectionLeaves(t *testing.T, step string) bool {
	t.Helper()
	for range 60 {
		if got, _ := m.client.Exchange(t, databaseIP.String()+":3306", "hello\n"); got != "" {
			return !strings.Contains(got, "local")
		}
	}
	t.Fatalf("%s: no connection has an answer", step)
	return false
}

// expectShare counts what leaves the mesh. The bounds are five standard deviations of a binomial distribution, so one of a million runs is beyond them.
func expectShare(t *testing.T, what string, percent float64, calls int, leaves func() bool) {
	t.Helper()
	count := 0
	for range calls {
		if leaves() {
			count++
		}
	}
	mean := float64(calls) * percent / 100
	tolerance := 5 * math.Sqrt(mean*(1-percent/100))
	if math.Abs(float64(count)-mean) > tolerance {
		t.Errorf("%s: %d of %d leave the mesh, want %.0f with a tolerance of %.0f", what, count, calls, mean, tolerance)
	}
}

// configureSpread gives the client a Service with HTTP and one without, with endpoints of its own mesh, and ways to the peer.
func (m *meshes) configureSpread(t *testing.T, local, leaving []netip.Addr) {
	t.Helper()
	s := &scope.Scope{Common: scope.Common{
		Key: scope.Key{Identity: buyer}, TrustDomain: eastDomain, Peers: []scope.Peer{{Name: ownMesh, TrustDomain: trustDomain, RootsPEM: m.network.CA.RootPEM}},
	}}
	var endpoints []scope.Endpoints
	add := func(service entity.Name, address netip.Addr, port, target uint16, protocol inventory.Protocol) {
		out := scope.Outbound{Service: service, Port: port, Protocol: protocol, NamesClient: !protocol.IsHTTP(), Addresses: []netip.Addr{address}, StandIn: true}
		for _, peerFirst := range []bool{false, true} {
			key := scope.EndpointsKey{Service: service, TargetPort: target, Peer: ownMesh, PeerPort: port, StandIn: true, PeerFirst: peerFirst}
			c := scope.Cluster{
				Service: service, TargetPort: target, Protocol: protocol, Identities: []identity.ServiceAccount{books}, Endpoints: key,
				StandIn: &scope.PeerDestination{Peer: ownMesh, Port: port, Servers: []identity.PeerAccount{{Peer: ownMesh, Namespace: books.Namespace, Name: books.Name}}},
			}
			weight := uint32(100 - peerShare)
			if peerFirst {
				weight = peerShare
			}
			s.Clusters, out.Backends = append(s.Clusters, c), append(out.Backends, scope.Backend{Cluster: c.Name(), Weight: weight})
			endpoints = append(endpoints, scope.Endpoints{Key: key, Addresses: atPort(local, target), StandIns: atPort(leaving, names.PeerLeavingPort)})
		}
		s.Outbound = append(s.Outbound, out)
	}
	add(database, databaseIP, 3306, 3306, inventory.ProtocolTCPServerFirst)
	add(web, webIP, 80, 8080, inventory.ProtocolHTTP)
	m.client.Configure(t, s, endpoints...)
}

func atPort(addresses []netip.Addr, port uint16) []netip.AddrPort {
	var list []netip.AddrPort
	for _, a := range addresses {
		list = append(list, netip.AddrPortFrom(a, port))
	}
	return list
}
