package pods_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// gatewayName is the DNS name of the gateway of the peer.
const gatewayName = "gateway.own.example"

// configureDirect lets a client of the peer east connect to gateways of this mesh itself: by addresses, or else by gatewayName.
func (m *meshes) configureDirect(t *testing.T, client *pods.Pod, gateways []netip.Addr, server identity.ServiceAccount) {
	t.Helper()
	s := &scope.Scope{Common: scope.Common{
		Key: scope.Key{Identity: buyer}, TrustDomain: eastDomain, Peers: []scope.Peer{{Name: ownMesh, TrustDomain: trustDomain, RootsPEM: m.network.CA.RootPEM}},
	}}
	var endpoints []scope.Endpoints
	add := func(service entity.Name, port uint16, protocol inventory.Protocol, address netip.Addr) {
		c := scope.Cluster{Service: service, TargetPort: port, Protocol: protocol, Endpoints: scope.EndpointsKey{Service: service, TargetPort: port}, Peer: &scope.PeerDestination{
			Peer: ownMesh, Port: port, Servers: []identity.PeerAccount{{Peer: ownMesh, Namespace: server.Namespace, Name: server.Name}}, Direct: true,
		}}
		if len(gateways) == 0 {
			c.Peer.Gateway = catalog.Server{Host: gatewayName, Port: names.PeerGatewayPort}
		} else {
			endpoints = append(endpoints, scope.Endpoints{Key: c.Endpoints, Addresses: atPort(gateways, names.PeerGatewayPort)})
		}
		s.Clusters = append(s.Clusters, c)
		s.Outbound = append(s.Outbound, scope.Outbound{
			Service: service, Port: port, Protocol: protocol, NamesClient: !protocol.IsHTTP(), Addresses: []netip.Addr{address}, Backends: []scope.Backend{{Cluster: c.Name(), Weight: 1}},
		})
	}
	add(database, 3306, inventory.ProtocolTCPServerFirst, databaseIP)
	add(web, 80, inventory.ProtocolHTTP, webIP)
	client.Configure(t, s, endpoints...)
}

// TestSidecarsConnectToGatewaysOfPeers calls a server of another mesh without the peer gateway of the own one. Gateways that do not answer cost no request and no
// connection.
func TestSidecarsConnectToGatewaysOfPeers(t *testing.T) {
	t.Parallel()
	m := newMeshes(t)
	dns := m.network.NameServer(t)
	dns.Set(gatewayName, m.arriving.IP)
	m.network.Accounts["named"] = buyer
	config := m.network.Bootstrap("named")
	config.TypedDnsResolverConfig = dns.ResolverConfig()
	named := m.network.PodFrom(t, "named", config)
	named.CA = m.east
	m.configureDirect(t, named, nil, books)
	m.configureDirect(t, m.client, []netip.Addr{netip.MustParseAddr("10.77.99.1"), m.arriving.IP, netip.MustParseAddr("10.77.99.2")}, books)
	for name, client := range map[string]*pods.Pod{"addresses": m.client, "a DNS name": named} {
		for range 30 {
			if got := client.Get(t, "http://10.96.0.1/books/1"); got.Status != http.StatusOK {
				t.Fatalf("%s: status %d: %s", name, got.Status, got.Body)
			}
			if got, err := client.Exchange(t, databaseIP.String()+":3306", "hello\n"); got != "welcome\necho hello\n" {
				t.Fatalf("%s: TCP gets %q, %v", name, got, err)
			}
		}
		if got := client.Get(t, "http://10.96.0.1/admin"); got.Status != http.StatusForbidden {
			t.Errorf("%s: a path for others has status %d", name, got.Status)
		}
	}
}

// TestThreatDirectPeers connects a sidecar to gateways of a peer that lead to wrong servers. It accepts the same ones as through the peer gateway of its own mesh.
func TestThreatDirectPeers(t *testing.T) {
	t.Parallel()
	m := newMeshes(t)
	m.configureDirect(t, m.client, []netip.Addr{m.arriving.IP}, thief)
	m.expectNoServer(t, "a server with another account")
	for name, certificate := range map[string]pki.Names{
		"a server of the own mesh":                      m.east.Genuine(books, eastDomain),
		"its name in the trust domain of the peer":      m.east.Genuine(books, trustDomain),
		"a server of another peer":                      m.west.Genuine(books, trustDomain),
		"another account of the peer":                   m.network.CA.Genuine(thief, trustDomain),
		"an account of the peer in the own mesh's name": m.network.CA.Genuine(books, eastDomain),
	} {
		m.configureDirect(t, m.client, []netip.Addr{m.gatewayTo(t, certificate)}, books)
		m.expectNoServer(t, name)
	}
	m.configureDirect(t, m.client, []netip.Addr{m.gatewayTo(t, m.network.CA.Genuine(books, trustDomain))}, books)
	if got := m.client.Get(t, "http://10.96.0.1/books/1"); got.Status != http.StatusOK {
		t.Errorf("the right server has status %d: %s", got.Status, got.Body)
	}
}

// gatewayTo starts a server with a certificate at the port of a gateway, and returns its address.
func (m *meshes) gatewayTo(t *testing.T, certificate pki.Names) netip.Addr {
	t.Helper()
	pod, config := m.network.Bare(t), &tls.Config{Certificates: certificate.Issue(t), NextProtos: []string{"osm"}}
	pod.ServeTCPAt(t, nstest.Address(pod.IP.String(), names.PeerGatewayPort), func(c net.Conn) {
		encrypted := tls.Server(c, config)
		if _, err := encrypted.Read(make([]byte, 1)); err == nil {
			_, _ = io.WriteString(encrypted, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
	})
	return pod.IP
}

// expectNoServer checks that the client accepts no server.
func (m *meshes) expectNoServer(t *testing.T, name string) {
	t.Helper()
	if got := m.client.Get(t, "http://10.96.0.1/books/1"); got.Status != http.StatusServiceUnavailable {
		t.Errorf("%s: status %d: %s", name, got.Status, got.Body)
	}
	if got, err := m.client.Exchange(t, databaseIP.String()+":3306", ""); got != "" {
		t.Errorf("%s: TCP gets %q, %v", name, got, err)
	}
}
