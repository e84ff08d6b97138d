package pods_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/injector/redirect"
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

// ownMesh is the mesh of the server for the peer east.
const ownMesh = "own"

// meshes are a server in this mesh, a client in the peer east, and the peer gateways of both.
type meshes struct {
	*peered
	arriving, leaving, controller *pods.Pod
}

func newMeshes(t *testing.T) *meshes {
	t.Helper()
	n := pods.NewNetwork(t)
	n.Accounts = map[string]identity.ServiceAccount{"client": buyer}
	m := &meshes{peered: &peered{newShopIn(t, n), pki.New(t), pki.New(t)}}
	gateway := func(name string) *pods.Pod {
		rules := redirect.Config{ExcludeInboundPorts: []uint16{names.PeerGatewayPort, names.PeerLeavingPort}}
		return n.Custom(t, name, rules, n.Bootstrap(name))
	}
	m.arriving, m.leaving, m.controller = gateway("arriving"), gateway("leaving"), n.Bare(t)
	m.client.CA = m.east
	m.controller.ServeTCPAt(t, nstest.Address(m.controller.IP.String(), names.PeerDiscoveryPort), func(c net.Conn) {
		_, _ = io.WriteString(c, "discovery")
		_, _ = io.Copy(io.Discard, c)
	})
	m.server.Configure(t, m.serverScope())
	s := m.arrivingScope()
	m.arriving.Configure(t, s, endpointsAt(s, m.server.IP)...)
	m.leaving.Configure(t, m.leavingScope(t))
	m.configureClient(t)
	return m
}

func gatewayScope(domain string) *scope.Scope {
	return &scope.Scope{Common: scope.Common{
		Key:         scope.Key{Identity: identity.ServiceAccount{Namespace: names.DefaultNamespace, Name: names.PeerGateway}, Proxy: scope.ProxyPeerGateway},
		TrustDomain: domain,
	}}
}

// arrivingScope exports two Services to the peer east.
func (m *meshes) arrivingScope() *scope.Scope {
	s := gatewayScope(trustDomain)
	s.Peers = []scope.Peer{{Name: east, TrustDomain: eastDomain}, {Name: west, TrustDomain: westDomain}}
	s.PeerGateway = &scope.PeerGateway{
		Peers:     []scope.PeerWay{{Peer: east}},
		Discovery: catalog.Server{Host: m.controller.IP.String(), Port: names.PeerDiscoveryPort},
	}
	export := func(service entity.Name, port, target uint16) {
		cluster := scope.Cluster{Service: service, TargetPort: target, Plain: true}
		s.Clusters = append(s.Clusters, cluster)
		s.PeerGateway.Exports = append(s.PeerGateway.Exports, scope.PeerExport{Peer: east, Service: service, Port: port, Cluster: cluster.Name()})
	}
	export(database, 3306, 3306)
	export(web, 80, 8080)
	return s
}

func (m *meshes) leavingScope(t *testing.T) *scope.Scope {
	s := gatewayScope(eastDomain)
	s.Peers = []scope.Peer{{Name: ownMesh, TrustDomain: trustDomain}}
	// The first gateway does not exist.
	gateways := []catalog.Server{{Host: "10.77.99.1", Port: names.PeerGatewayPort}, {Host: m.arriving.IP.String(), Port: names.PeerGatewayPort}}
	s.PeerGateway = &scope.PeerGateway{Peers: []scope.PeerWay{{Peer: ownMesh, Gateways: gateways}}}
	m.network.Reject(t, netip.MustParsePrefix("10.77.99.0/24"))
	return s
}

// configureClient lets the client call the Services of the other mesh. At the next port, it demands the account of another server.
func (m *meshes) configureClient(t *testing.T) {
	t.Helper()
	s := &scope.Scope{Common: scope.Common{
		Key: scope.Key{Identity: buyer}, TrustDomain: eastDomain, Peers: []scope.Peer{{Name: ownMesh, TrustDomain: trustDomain, RootsPEM: m.network.CA.RootPEM}},
	}}
	var endpoints []scope.Endpoints
	add := func(service entity.Name, port, remote uint16, protocol inventory.Protocol, address netip.Addr, server identity.ServiceAccount) {
		cluster := scope.Cluster{Service: service, TargetPort: port, Protocol: protocol, Endpoints: scope.EndpointsKey{Service: service, TargetPort: port}, Peer: &scope.PeerDestination{
			Peer: ownMesh, Port: remote, Servers: []identity.PeerAccount{{Peer: ownMesh, Namespace: server.Namespace, Name: server.Name}},
		}}
		s.Clusters = append(s.Clusters, cluster)
		s.Outbound = append(s.Outbound, scope.Outbound{
			Service: service, Port: port, Protocol: protocol, NamesClient: true, Addresses: []netip.Addr{address},
			Backends: []scope.Backend{{Cluster: cluster.Name(), Weight: 1}},
		})
		endpoints = append(endpoints, scope.Endpoints{Key: cluster.Endpoints, Addresses: []netip.AddrPort{netip.AddrPortFrom(m.leaving.IP, names.PeerLeavingPort)}})
	}
	add(database, 3306, 3306, inventory.ProtocolTCPServerFirst, databaseIP, books)
	add(database, 3307, 3306, inventory.ProtocolTCPServerFirst, databaseIP, thief)
	add(web, 80, 80, inventory.ProtocolHTTP, webIP, books)
	add(web, 81, 80, inventory.ProtocolHTTP, webIP, thief)
	m.client.Configure(t, s, endpoints...)
}

// TestPeersThroughGateways calls a server of one mesh from a client of another one, through a gateway of each. Their TLS ends in the sidecars.
func TestPeersThroughGateways(t *testing.T) {
	t.Parallel()
	m := newMeshes(t)
	for path, want := range map[string]int{"/books/1": http.StatusOK, "/admin": http.StatusForbidden, "/x": http.StatusNotFound} {
		if got := m.client.Get(t, "http://10.96.0.1"+path); got.Status != want {
			t.Errorf("%s has status %d, want %d: %s", path, got.Status, want, got.Body)
		}
	}
	if got := m.client.Get(t, "http://10.96.0.1/books/1", "Host: web.shop.svc.clusterset.local"); got.Status != http.StatusOK || got.Header.Get("Saw-Host") != "web.shop.svc.clusterset.local" {
		t.Errorf("the name in the cluster set has status %d: %v", got.Status, got.Header)
	}
	if got := m.client.GetHTTP2(t, "http://10.96.0.1/books/1"); got.Status != http.StatusOK {
		t.Errorf("HTTP/2 has status %d, want 200", got.Status)
	}
	if got, err := m.client.Exchange(t, databaseIP.String()+":3306", "hello\n"); got != "welcome\necho hello\n" {
		t.Errorf("TCP gets %q, %v", got, err)
	}
	if got := m.client.Get(t, "http://10.96.0.1:81/books/1"); got.Status != http.StatusServiceUnavailable {
		t.Errorf("a server with another account has status %d, want 503", got.Status)
	}
	if got, err := m.client.Exchange(t, databaseIP.String()+":3307", ""); got != "" {
		t.Errorf("a TCP server with another account sends %q, %v", got, err)
	}
}

// TestThreatPeerGateways connects to both listeners of a peer gateway with server names that lead nowhere.
func TestThreatPeerGateways(t *testing.T) {
	t.Parallel()
	m := newMeshes(t)
	arriving, leaving := nstest.Address(m.arriving.IP.String(), names.PeerGatewayPort), nstest.Address(m.leaving.IP.String(), names.PeerLeavingPort)
	exported := serverNameFor(web, 80, eastDomain)
	for address, lead := range map[string]map[string]bool{
		arriving: {
			exported: true, serverNameFor(database, 3306, eastDomain): true,
			// Neither other ports and Services, nor other peers, nor the names in the mesh.
			serverNameFor(web, 8080, eastDomain): false, serverNameFor(stateful, 80, eastDomain): false, serverNameFor(web, 80, westDomain): false,
			serverNameFor(web, 80, trustDomain): false, "x." + exported: false, exported + ".x": false, webServer: false,
			// Nor the server of sidecars of the control plane.
			"ads.cluster.local": false, "osm-controller.osm-system.svc.cluster.local": false,
			serverNameFor(entity.Name{Namespace: "osm-system", Name: "osm-controller"}, names.ADSPort, eastDomain): false,
			"discovery.at.cluster.local.from.west.example":                                                         false, "discovery.at.cluster.local": false, "": false,
		},
		// Whatever has the names of both meshes leaves, and the other gateway decides.
		leaving: {
			exported: true, serverNameFor(web, 80, westDomain): false, "p80.web.shop.svc.at.north.example.from.east.example": false,
			"p80.web.shop.svc.at.east.example.from.cluster.local": false, webServer: false, "at.cluster.local.from.east.example": false, "": false,
		},
	} {
		for name, want := range lead {
			if got := m.handshakes(t, address, name); got != want {
				t.Errorf("%s at %s leads to a server: %t, want %t", name, address, got, want)
			}
		}
		if got, err := m.stranger.Exchange(t, address, "GET / HTTP/1.1\r\nHost: web\r\n\r\n"); got != "" || isTimeout(err) {
			t.Errorf("plaintext at %s gets %q, %v, want a closed connection", address, got, err)
		}
	}
	m.discovery(t, arriving)
}

// handshakes reports whether a server answers the first message of a handshake.
func (m *meshes) handshakes(t *testing.T, address, serverName string) bool {
	t.Helper()
	plain, err := m.stranger.Dial(t, address)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	if err := plain.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{
		ServerName: serverName, NextProtos: []string{"osm/shop/buyer", "osm"}, Certificates: m.east.Genuine(buyer, eastDomain).Issue(t), InsecureSkipVerify: true,
	}
	err = tls.Client(plain, config).HandshakeContext(t.Context())
	if isTimeout(err) {
		t.Errorf("%s at %s has no answer", serverName, address)
	}
	return err == nil
}

// discovery checks that the control plane of a known peer reaches the server for peers, and only that.
func (m *meshes) discovery(t *testing.T, address string) {
	t.Helper()
	plain, err := m.stranger.Dial(t, address)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	name := identity.DiscoveryServerName(trustDomain, eastDomain)
	go func() {
		_ = tls.Client(writeOnly{plain}, &tls.Config{ServerName: name, InsecureSkipVerify: true}).Handshake()
	}()
	got := make([]byte, len("discovery"))
	if _, err := io.ReadFull(plain, got); string(got) != "discovery" {
		t.Errorf("the control plane of a peer gets %q, %v", got, err)
	}
}

// writeOnly is a connection whose data somebody else reads.
type writeOnly struct{ net.Conn }

func (w writeOnly) Read([]byte) (int, error) { return 0, io.EOF }
