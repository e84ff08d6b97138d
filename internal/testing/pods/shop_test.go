package pods_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

const trustDomain = "cluster.local"

var (
	buyer = identity.ServiceAccount{Namespace: "shop", Name: "buyer"}
	thief = identity.ServiceAccount{Namespace: "shop", Name: "thief"}
	books = identity.ServiceAccount{Namespace: "shop", Name: "books"}

	web      = entity.Name{Namespace: "shop", Name: "web"}
	database = entity.Name{Namespace: "shop", Name: "database"}
	leaf     = entity.Name{Namespace: "shop", Name: "leaf"}
	stateful = entity.Name{Namespace: "shop", Name: "stateful"}
	// archive is another Service with the database's target port.
	archive = entity.Name{Namespace: "shop", Name: "archive"}
)

// Virtual addresses, which no pod has.
var (
	webIP, webIP6 = netip.MustParseAddr("10.96.0.1"), netip.MustParseAddr("fd96::1")
	databaseIP    = netip.MustParseAddr("10.96.0.2")
	archiveIP     = netip.MustParseAddr("10.96.0.3")
	unknownIP     = "10.96.0.99"
)

// shop is a client and a server with sidecars, and a client without one (stranger).
type shop struct {
	network                  *pods.Network
	client, server, stranger *pods.Pod
	// dial connects to the Service web. By default it does so through the client's sidecar.
	dial func(*testing.T) net.Conn
}

func newShop(t *testing.T) *shop {
	t.Helper()
	return newShopIn(t, pods.NewNetwork(t))
}

func newShopIn(t *testing.T, n *pods.Network) *shop {
	t.Helper()
	s := &shop{network: n, client: n.Pod(t, "client"), server: n.Pod(t, "server"), stranger: n.Bare(t)}
	s.dial = s.throughSidecar
	s.server.ServeHTTP(t, 8080, http.HandlerFunc(describe))
	s.server.ServeHTTP(t, 8081, http.HandlerFunc(describe))
	s.server.ServeTCP(t, 3306, welcome)
	return s
}

// welcome is an application over TCP that speaks first, and answers one line.
func welcome(c net.Conn) {
	_, _ = io.WriteString(c, "welcome\n")
	line, _ := bufio.NewReader(c).ReadString('\n')
	_, _ = io.WriteString(c, "echo "+line)
}

// describe responds with the request as the application received it.
func describe(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/books/echo" {
		echo(w)
		return
	}
	for name, values := range r.Header {
		w.Header()["Saw-"+name] = values
	}
	w.Header().Set("Saw-Host", r.Host)
	fmt.Fprintf(w, "%s %s %s port=%s", r.Proto, r.Method, r.URL.Path, r.Context().Value(http.LocalAddrContextKey))
}

// echo hijacks the connection and echoes every line, like a websocket server.
func echo(w http.ResponseWriter) {
	w.Header().Set("Connection", "Upgrade")
	w.Header().Set("Upgrade", "websocket")
	w.WriteHeader(http.StatusSwitchingProtocols)
	conn, lines, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = io.Copy(conn, lines)
}

func (s *shop) serverScope() *scope.Scope {
	network := []authz.NetworkRule{{Policy: "shop/buyer", Sources: []identity.ServiceAccount{buyer}}}
	return &scope.Scope{
		Common: scope.Common{
			Key:         scope.Key{Identity: books, Class: scope.Class{IPv6: true, Metrics: true}},
			TrustDomain: trustDomain,
		},
		Sidecar: scope.Sidecar{
			Inbound: []scope.Inbound{
				{Service: web, Port: 80, TargetPort: 8080, Protocol: inventory.ProtocolHTTP, Rules: authz.Rules{
					Network: network,
					Routes: []authz.Route{
						{Match: catalog.HTTPMatch{PathRegex: "/books/.*", Methods: []string{"GET"}}, Sources: []identity.ServiceAccount{buyer}},
						{Match: catalog.HTTPMatch{PathRegex: "/admin"}, Sources: []identity.ServiceAccount{thief}},
					},
				}},
				{Service: stateful, Port: 80, TargetPort: 8081, Protocol: inventory.ProtocolHTTP, Rules: authz.Rules{
					Permissive: true, Routes: []authz.Route{{AnySource: true}},
				}},
				{Service: leaf, Port: 80, TargetPort: 8081, Protocol: inventory.ProtocolHTTP, Rules: authz.Rules{
					Permissive: true, Routes: []authz.Route{{AnySource: true}},
				}},
				{Service: database, Port: 3306, TargetPort: 3306, Protocol: inventory.ProtocolTCPServerFirst, Rules: authz.Rules{Network: network}},
				{Service: archive, Port: 3306, TargetPort: 3306, Protocol: inventory.ProtocolTCP, Rules: authz.Rules{Network: network}},
			},
		},
	}
}

func (s *shop) clientScope() *scope.Scope {
	c := &scope.Scope{
		Common: scope.Common{
			Key:         scope.Key{Identity: buyer, Class: scope.Class{IPv6: true, Metrics: true}},
			TrustDomain: trustDomain,
		},
	}
	add := func(o scope.Outbound, targetPort uint16) {
		name := scope.ClusterName(o.Service, targetPort)
		o.Backends = []scope.Backend{{Cluster: name, Weight: 100}}
		c.Outbound = append(c.Outbound, o)
		c.Clusters = append(c.Clusters, scope.Cluster{
			Service: o.Service, TargetPort: targetPort, Protocol: o.Protocol, Identities: []identity.ServiceAccount{books},
		})
	}
	add(scope.Outbound{Service: web, Port: 80, Protocol: inventory.ProtocolHTTP, Addresses: []netip.Addr{webIP, webIP6}}, 8080)
	add(scope.Outbound{Service: stateful, Port: 80, PodPort: 8081, Protocol: inventory.ProtocolHTTP, Addresses: []netip.Addr{s.server.IP}}, 8081)
	add(scope.Outbound{Service: database, Port: 3306, Protocol: inventory.ProtocolTCPServerFirst, Addresses: []netip.Addr{databaseIP}}, 3306)
	add(scope.Outbound{Service: archive, Port: 3306, Protocol: inventory.ProtocolTCP, Addresses: []netip.Addr{archiveIP}}, 3306)
	c.Clusters = append(c.Clusters, scope.Cluster{
		Service: leaf, TargetPort: 8081, Protocol: inventory.ProtocolHTTP, Identities: []identity.ServiceAccount{books},
	})
	slices.SortFunc(c.Clusters, func(a, b scope.Cluster) int { return a.Service.Compare(b.Service) })
	return c
}

// endpoints returns the server pod as the endpoint of every cluster of a scope.
func (s *shop) endpoints(c *scope.Scope) []scope.Endpoints {
	return endpointsAt(c, s.server.IP)
}

// endpointsAt returns a pod as the endpoint of every cluster of a scope.
func endpointsAt(s *scope.Scope, pod netip.Addr) []scope.Endpoints {
	var out []scope.Endpoints
	for _, cluster := range s.Clusters {
		out = append(out, scope.Endpoints{
			Key:       scope.EndpointsKey{Service: cluster.Service, TargetPort: cluster.TargetPort},
			Addresses: []netip.AddrPort{netip.AddrPortFrom(pod, cluster.TargetPort)},
		})
	}
	return out
}

func (s *shop) configure(t *testing.T, client, server *scope.Scope) {
	t.Helper()
	s.server.Configure(t, server)
	s.client.Configure(t, client, s.endpoints(client)...)
}
