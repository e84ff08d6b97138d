package pods_test

import (
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// TestPeerStandsIn calls a Service of the client's mesh for which a Service of the peer can stand in. Nothing leaves while one of four endpoints answers, and nothing
// fails when none does.
func TestPeerStandsIn(t *testing.T) {
	t.Parallel()
	m := newMeshes(t)
	m.network.Accounts["local"] = books
	local := m.network.Pod(t, "local")
	local.CA = m.east
	local.ServeHTTP(t, 8080, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "local") }))
	local.Configure(t, localScope())
	lost := []netip.AddrPort{netip.MustParseAddrPort("10.77.99.2:8080"), netip.MustParseAddrPort("10.77.99.3:8080"), netip.MustParseAddrPort("10.77.99.4:8080")}
	answers := netip.AddrPortFrom(local.IP, 8080)
	for _, step := range []struct {
		name      string
		addresses []netip.AddrPort
		isLocal   bool
	}{
		{"all answer", []netip.AddrPort{answers}, true},
		{"one of four answers", append([]netip.AddrPort{answers}, lost...), true},
		{"none answers", lost, false},
		{"there is none", nil, false},
		{"one is back", []netip.AddrPort{answers}, true},
	} {
		m.configureFailover(t, step.addresses)
		for range 60 { // until those that do not answer are ejected: a request that fails at two of them is repeated at the peer
			if got := m.client.Get(t, "http://10.96.0.1/books/1"); got.Status != http.StatusOK {
				t.Fatalf("%s: status %d: %s", step.name, got.Status, got.Body)
			}
		}
		for i := range 40 {
			got := m.client.Get(t, "http://10.96.0.1/books/1")
			if got.Status != http.StatusOK || strings.Contains(got.Body, "local") != step.isLocal {
				t.Fatalf("%s: request %d has status %d: %s", step.name, i, got.Status, got.Body)
			}
		}
	}
}

// localScope is the configuration of a server in the mesh of the client, which admits all of it.
func localScope() *scope.Scope {
	return &scope.Scope{
		Common: scope.Common{Key: scope.Key{Identity: books}, TrustDomain: eastDomain},
		Sidecar: scope.Sidecar{Inbound: []scope.Inbound{{
			Service: web, Port: 80, TargetPort: 8080, Protocol: inventory.ProtocolHTTP, Rules: authz.Rules{Permissive: true, Routes: []authz.Route{{AnySource: true}}},
		}}},
	}
}

// configureFailover gives the client endpoints of its own mesh, and the way to the peer.
func (m *meshes) configureFailover(t *testing.T, addresses []netip.AddrPort) {
	t.Helper()
	key := scope.EndpointsKey{Service: web, TargetPort: 8080, Peer: ownMesh, PeerPort: 80, StandIn: true}
	cluster := scope.Cluster{
		Service: web, TargetPort: 8080, Protocol: inventory.ProtocolHTTP, Identities: []identity.ServiceAccount{books}, Endpoints: key,
		StandIn: &scope.PeerDestination{Peer: ownMesh, Port: 80, Servers: []identity.PeerAccount{{Peer: ownMesh, Namespace: books.Namespace, Name: books.Name}}},
	}
	s := &scope.Scope{
		Common: scope.Common{
			Key: scope.Key{Identity: buyer}, TrustDomain: eastDomain, Peers: []scope.Peer{{Name: ownMesh, TrustDomain: trustDomain, RootsPEM: m.network.CA.RootPEM}},
			Clusters: []scope.Cluster{cluster},
		},
		Sidecar: scope.Sidecar{Outbound: []scope.Outbound{{
			Service: web, Port: 80, Protocol: inventory.ProtocolHTTP, Addresses: []netip.Addr{webIP}, StandIn: true, Backends: []scope.Backend{{Cluster: cluster.Name(), Weight: 1}},
		}}},
	}
	m.client.Configure(t, s, scope.Endpoints{Key: key, Addresses: addresses, StandIns: []netip.AddrPort{netip.AddrPortFrom(m.leaving.IP, names.PeerLeavingPort)}})
}
