package pods_test

import (
	"net/http"
	"net/netip"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// TestServiceOfPeerWithoutPods calls Services of a peer that have no pods: requests are answered at once, and connections end. Without the account of a server, no
// server is accepted, also if there were an endpoint.
func TestServiceOfPeerWithoutPods(t *testing.T) {
	t.Parallel()
	m := newMeshes(t)
	s := &scope.Scope{Common: scope.Common{
		Key: scope.Key{Identity: buyer}, TrustDomain: eastDomain, Peers: []scope.Peer{{Name: ownMesh, TrustDomain: trustDomain, RootsPEM: m.network.CA.RootPEM}},
	}}
	add := func(service entity.Name, port uint16, protocol inventory.Protocol, address netip.Addr) {
		c := scope.Cluster{
			Service: service, TargetPort: port, Protocol: protocol, Endpoints: scope.EndpointsKey{Service: service, TargetPort: port}, Peer: &scope.PeerDestination{Peer: ownMesh, Port: port},
		}
		s.Clusters = append(s.Clusters, c)
		s.Outbound = append(s.Outbound, scope.Outbound{
			Service: service, Port: port, Protocol: protocol, NamesClient: true, Addresses: []netip.Addr{address}, Backends: []scope.Backend{{Cluster: c.Name(), Weight: 1}},
		})
	}
	add(database, 3306, inventory.ProtocolTCPServerFirst, databaseIP)
	add(web, 80, inventory.ProtocolHTTP, webIP)
	for name, addresses := range map[string][]netip.AddrPort{"no endpoint": nil, "an endpoint": {netip.AddrPortFrom(m.leaving.IP, names.PeerLeavingPort)}} {
		m.client.Configure(t, s, scope.Endpoints{Key: s.Clusters[0].Endpoints, Addresses: addresses}, scope.Endpoints{Key: s.Clusters[1].Endpoints, Addresses: addresses})
		if got := m.client.Get(t, "http://10.96.0.1/books/1"); got.Status != http.StatusServiceUnavailable {
			t.Errorf("%s: status %d: %s", name, got.Status, got.Body)
		}
		if got, err := m.client.Exchange(t, databaseIP.String()+":3306", ""); got != "" || isTimeout(err) {
			t.Errorf("%s: TCP gets %q, %v", name, got, err)
		}
	}
}
