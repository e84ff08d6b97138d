package pods_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"slices"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/injector/redirect"
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// Ports of an application that terminates TLS itself, and of one without TLS.
const ownTLSPort, ownTCPPort = 8443, 3306

// connectionGateway is an ingress gateway with a listener that passes TLS through, and one for TCP. The gateway may connect to the application.
type connectionGateway struct {
	network                 *pods.Network
	client, gateway, server *pods.Pod
}

func newConnectionGateway(t *testing.T) *connectionGateway {
	t.Helper()
	n := pods.NewNetwork(t)
	g := &connectionGateway{network: n, client: n.Bare(t), server: n.Pod(t, "server")}
	g.gateway = n.Custom(t, "gateway", redirect.Config{ExcludeInboundPorts: []uint16{strictPort, fallbackPort}}, n.Bootstrap("gateway"))
	pair, err := tls.X509KeyPair(pki.New(t).Issue(t, identity.ServiceAccount{Namespace: "example", Name: "one"}, "com"))
	if err != nil {
		t.Fatal(err)
	}
	g.server.ServeTCP(t, ownTLSPort, func(conn net.Conn) {
		_, _ = io.WriteString(tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{pair}}), "with TLS")
	})
	g.server.ServeTCP(t, ownTCPPort, func(conn net.Conn) { _, _ = io.WriteString(conn, "without TLS") })
	g.configureServer(t, gatewayAccount)
	g.configure(t)
	return g
}

var gatewayAccount = identity.ServiceAccount{Namespace: names.DefaultNamespace, Name: names.IngressGateway}

// configureServer lets an identity connect to the application.
func (g *connectionGateway) configureServer(t *testing.T, client identity.ServiceAccount) {
	t.Helper()
	rules := authz.Rules{Network: []authz.NetworkRule{{Policy: "shop/client", Sources: []identity.ServiceAccount{client}}}}
	g.server.Configure(t, &scope.Scope{
		Common: scope.Common{Key: scope.Key{Identity: books}, TrustDomain: trustDomain},
		Sidecar: scope.Sidecar{Inbound: []scope.Inbound{
			{Service: web, Port: 443, TargetPort: ownTLSPort, Protocol: inventory.ProtocolTCP, Rules: rules},
			{Service: database, Port: ownTCPPort, TargetPort: ownTCPPort, Protocol: inventory.ProtocolTCPServerFirst, Rules: rules},
		}},
	})
}

func (g *connectionGateway) configure(t *testing.T) {
	t.Helper()
	var clusters []scope.Cluster
	var endpoints []scope.Endpoints
	for service, port := range map[entity.Name]uint16{web: ownTLSPort, database: ownTCPPort} {
		key := scope.EndpointsKey{Service: service, TargetPort: port}
		clusters = append(clusters, scope.Cluster{Service: service, TargetPort: port, Protocol: inventory.ProtocolTCP, Identities: []identity.ServiceAccount{books}, Endpoints: key})
		endpoints = append(endpoints, scope.Endpoints{Key: key, Addresses: []netip.AddrPort{netip.AddrPortFrom(g.server.IP, port)}})
	}
	slices.SortFunc(clusters, func(a, b scope.Cluster) int { return a.Service.Compare(b.Service) })
	route := func(kind entity.Kind, to entity.Name, port uint16, serverNames ...string) scope.ConnectionRoute {
		return scope.ConnectionRoute{
			Route: entity.Ref{Kind: kind, Name: to}, ServerNames: serverNames, Backends: []scope.Backend{{Cluster: scope.ClusterName(to, port), Weight: 1}},
		}
	}
	s := &scope.Scope{
		Common: scope.Common{Key: scope.Key{Identity: gatewayAccount, Proxy: scope.ProxyIngressGateway}, TrustDomain: trustDomain, Clusters: clusters},
		IngressGateway: &scope.IngressGateway{Listeners: []scope.GatewayListener{
			{Name: "shop/web/com", Port: 443, Bind: strictPort, Hostname: "*.com", Protocol: "TLS", Connections: []scope.ConnectionRoute{
				route(entity.KindTLSRoute, web, ownTLSPort, "*.com"),
			}},
			{Name: "shop/web/example", Port: 443, Bind: strictPort, Hostname: "*.example.com", Protocol: "TLS", Connections: []scope.ConnectionRoute{
				{ServerNames: []string{"*.example.com"}}, route(entity.KindTLSRoute, web, ownTLSPort, "one.example.com"),
			}},
			{Name: "shop/web/tcp", Port: 3306, Bind: fallbackPort, Protocol: "TCP", Connections: []scope.ConnectionRoute{
				route(entity.KindGatewayTCPRoute, database, ownTCPPort),
			}},
		}},
	}
	g.gateway.SendAll(t, s, envoy.Build(s), endpoints...)
}

// connect returns what a client with a server name receives, or "closed".
func (g *connectionGateway) connect(t *testing.T, serverName string) string {
	t.Helper()
	conn, err := g.client.Dial(t, nstest.Address(g.gateway.IP.String(), strictPort))
	if err != nil {
		t.Fatal(err)
	}
	received, err := io.ReadAll(tls.Client(conn, &tls.Config{InsecureSkipVerify: true, ServerName: serverName}))
	if len(received) == 0 && err != nil {
		return "closed"
	}
	return string(received)
}

// TestGatewayForwardsConnections connects with server names that routes have and with others, and without TLS. What no route selects is closed and logged.
func TestGatewayForwardsConnections(t *testing.T) {
	t.Parallel()
	g := newConnectionGateway(t)
	for serverName, want := range map[string]string{
		"one.example.com": "with TLS", "a.b.com": "with TLS", "two.example.com": "closed", "other.test": "closed", "": "closed",
	} {
		if got := g.connect(t, serverName); got != want {
			t.Errorf("the server name %q: %s, want %s", serverName, got, want)
		}
	}
	if got, err := g.client.Exchange(t, nstest.Address(g.gateway.IP.String(), strictPort), "GET / HTTP/1.1\r\nHost: one.example.com\r\n\r\n"); got != "" {
		t.Errorf("without TLS: %q, %v, want the connection closed", got, err)
	}
	if got, err := g.client.Exchange(t, nstest.Address(g.gateway.IP.String(), fallbackPort), ""); got != "without TLS" {
		t.Errorf("TCP: %q, %v", got, err)
	}
	logs := &shop{network: g.network}
	logs.awaitLog(t, "gateway", map[string]any{"requested_server_name": "two.example.com", "response_flags": "NC"})
	logs.awaitLog(t, "gateway", map[string]any{"requested_server_name": "other.test", "response_flags": "NR"})
	g.configureServer(t, thief)
	if got := g.connect(t, "one.example.com"); got != "closed" {
		t.Errorf("without a policy for the gateway: %s, want the connection closed", got)
	}
}
