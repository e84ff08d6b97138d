package pods_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/interop/grpc_testing"

	"github.com/openservicemesh/osm-operator/internal/injector/redirect"
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// browser is a client of an ingress gateway with two HTTPS listeners, of which one has a wildcard that includes the other.
type browser struct{ client, gateway *pods.Pod }

func newBrowser(t *testing.T) *browser {
	t.Helper()
	n := pods.NewNetwork(t)
	b := &browser{client: n.Bare(t)}
	b.gateway = n.Custom(t, "gateway", redirect.Config{ExcludeInboundPorts: []uint16{strictPort}}, n.Bootstrap("gateway"))
	server := n.Pod(t, "server")
	server.ServeHTTP(t, 8080, http.HandlerFunc(describe))
	serveGRPC(t, server.NS.Listen(t, nstest.Address("127.0.0.1", 9000)), "server")
	var inbound []scope.Inbound
	for _, port := range []uint16{8080, 9000} {
		inbound = append(inbound, scope.Inbound{
			Service: web, Port: port, TargetPort: port, Protocol: inventory.ProtocolHTTP,
			Rules: authz.Rules{Permissive: true, Routes: []authz.Route{{AnySource: true}}},
		})
	}
	server.Configure(t, &scope.Scope{Common: scope.Common{Key: scope.Key{Identity: books}, TrustDomain: trustDomain}, Sidecar: scope.Sidecar{Inbound: inbound}})
	b.configure(t, server.IP)
	return b
}

// configure sends requests to /books of one port in HTTP/1.1, and others in HTTP/2 to the same port or to that of gRPC.
func (b *browser) configure(t *testing.T, server netip.Addr) {
	t.Helper()
	cluster := func(port uint16, version scope.HTTPVersion) scope.Cluster {
		return scope.Cluster{
			Service: web, TargetPort: port, Protocol: inventory.ProtocolHTTP, Identities: []identity.ServiceAccount{books}, HTTP: version,
			Endpoints: scope.EndpointsKey{Service: web, TargetPort: port, HTTP2: version == scope.HTTP2},
		}
	}
	clusters := []scope.Cluster{cluster(8080, scope.HTTP1), cluster(8080, scope.HTTP2), cluster(9000, scope.HTTP2)}
	route := func(prefix string, c scope.Cluster) scope.HTTPRoute {
		return scope.HTTPRoute{Match: catalog.RouteMatch{PathType: "PathPrefix", Path: prefix}, Backends: []scope.Backend{{Cluster: c.Name(), Weight: 1}}}
	}
	routes := []scope.HTTPRoute{route("/books", clusters[0]), route("/h2", clusters[1]), route("/grpc.testing.TestService", clusters[2])}
	chain, key := pki.New(t).Issue(t, identity.ServiceAccount{Namespace: "example", Name: "books"}, "com")
	s := &scope.Scope{
		Common: scope.Common{
			Key:         scope.Key{Identity: identity.ServiceAccount{Namespace: names.DefaultNamespace, Name: names.IngressGateway}, Proxy: scope.ProxyIngressGateway},
			TrustDomain: trustDomain, Clusters: clusters,
		},
		IngressGateway: &scope.IngressGateway{
			Listeners: []scope.GatewayListener{
				{
					Name: "shop/web/all", Port: 443, Bind: strictPort, Hostname: "*.example.com", Certificates: []string{"tls"}, Misdirected: []string{"one.example.com"},
					Hosts: []scope.GatewayHost{{Domain: "*.example.com", Routes: routes}},
				},
				{
					Name: "shop/web/one", Port: 443, Bind: strictPort, Hostname: "one.example.com", Certificates: []string{"tls"}, Misdirected: []string{"*.example.com"},
					Hosts: []scope.GatewayHost{{Domain: "one.example.com", Routes: routes}},
				},
			},
			Certificates: []scope.GatewayCertificate{{Name: "tls", ChainPEM: chain, KeyPEM: key}},
		},
	}
	var endpoints []scope.Endpoints
	for _, c := range clusters {
		endpoints = append(endpoints, scope.Endpoints{Key: c.Endpoints, Addresses: []netip.AddrPort{netip.AddrPortFrom(server, c.TargetPort)}})
	}
	b.gateway.SendAll(t, s, slices.Concat(envoy.Build(s), envoy.OutsideSecrets(s)), endpoints...)
}

// connect opens a connection with a server name, offering protocols.
func (b *browser) connect(t *testing.T, serverName string, protocols ...string) *tls.Conn {
	t.Helper()
	conn, err := b.client.Dial(t, nstest.Address(b.gateway.IP.String(), strictPort))
	if err != nil {
		t.Fatal(err)
	}
	secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, ServerName: serverName, NextProtos: protocols})
	if err := secure.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	return secure
}

// over sends a request over a connection with HTTP/2, or with HTTP/1.1 without a connection of HTTP/2. It returns the status and the body.
func over(t *testing.T, secure *tls.Conn, host, path string) (int, string, http.Header) {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, "https://"+host+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	var response *http.Response
	if secure.ConnectionState().NegotiatedProtocol == "h2" {
		request.Header.Set("TE", "trailers")
		transport := &http.Transport{
			ForceAttemptHTTP2: true,
			DialTLSContext:    func(context.Context, string, string) (net.Conn, error) { return secure, nil },
		}
		response, err = transport.RoundTrip(request)
	} else if err = request.Write(secure); err == nil {
		response, err = http.ReadResponse(bufio.NewReader(secure), request)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body), response.Header
}

// TestGatewayOffersHTTP2 sends requests of clients with HTTP/2 and HTTP/1.1. The application gets the version of its route, whatever that of the client is.
func TestGatewayOffersHTTP2(t *testing.T) {
	t.Parallel()
	b := newBrowser(t)
	for name, c := range map[string]struct {
		offered        []string
		negotiated     string
		path, seen, te string
	}{
		"HTTP/2 to HTTP/1.1":   {[]string{"h2", "http/1.1"}, "h2", "/books", "HTTP/1.1", "trailers"},
		"HTTP/2 to HTTP/2":     {[]string{"h2", "http/1.1"}, "h2", "/h2", "HTTP/2.0", "trailers"},
		"HTTP/1.1 to HTTP/1.1": {[]string{"http/1.1"}, "http/1.1", "/books", "HTTP/1.1", ""},
		"HTTP/1.1 to HTTP/2":   {[]string{"http/1.1"}, "http/1.1", "/h2", "HTTP/2.0", ""},
		"no ALPN to HTTP/1.1":  {nil, "", "/books", "HTTP/1.1", ""},
	} {
		secure := b.connect(t, "two.example.com", c.offered...)
		if got := secure.ConnectionState().NegotiatedProtocol; got != c.negotiated {
			t.Errorf("%s: the gateway negotiates %q, want %q", name, got, c.negotiated)
		}
		status, body, header := over(t, secure, "two.example.com", c.path)
		if status != http.StatusOK || !strings.HasPrefix(body, c.seen+" ") || header.Get("Saw-Te") != c.te {
			t.Errorf("%s: %d %q with te %q, want the version %s and te %q", name, status, body, header.Get("Saw-Te"), c.seen, c.te)
		}
	}
	t.Run("gRPC", b.grpc)
	t.Run("WebSocket", b.webSocket)
	t.Run("coalesced connections", b.coalesced)
}

func (b *browser) grpc(t *testing.T) {
	conn, err := grpc.NewClient("passthrough:///two.example.com", grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{InsecureSkipVerify: true})),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return b.client.NS.Dial(ctx, "tcp", nstest.Address(b.gateway.IP.String(), strictPort))
		}))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	client := grpc_testing.NewTestServiceClient(conn)
	statusOfApplication(ctx, t, client)
	streams(ctx, t, client)
}

// webSocket upgrades a connection with HTTP/1.1, as browsers do where the server offers no extended CONNECT.
func (b *browser) webSocket(t *testing.T) {
	secure := b.connect(t, "two.example.com", "http/1.1")
	fmt.Fprint(secure, "GET /books/echo HTTP/1.1\r\nHost: two.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
	reader := bufio.NewReader(secure)
	response, err := http.ReadResponse(reader, nil)
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("the upgrade = %v, %v", response, err)
	}
	defer response.Body.Close()
	fmt.Fprint(secure, "hello\n")
	if line, err := reader.ReadString('\n'); err != nil || line != "hello\n" {
		t.Errorf("the WebSocket echoes %q, %v", line, err)
	}
}

// coalesced sends requests for hosts of other listeners over one connection, as browsers do if a certificate has several hosts.
func (b *browser) coalesced(t *testing.T) {
	for _, c := range []struct {
		serverName, host string
		want             int
	}{
		{"two.example.com", "two.example.com", 200},
		{"two.example.com", "three.example.com:8443", 200},
		{"two.example.com", "one.example.com", 421},
		{"two.example.com", "other.test", 404},
		{"one.example.com", "one.example.com", 200},
		{"one.example.com", "two.example.com", 421},
		{"one.example.com", "other.test", 404},
	} {
		for _, protocol := range []string{"h2", "http/1.1"} {
			if got, _, _ := over(t, b.connect(t, c.serverName, protocol), c.host, "/books"); got != c.want {
				t.Errorf("%s for %s over a connection to %s = %d, want %d", protocol, c.host, c.serverName, got, c.want)
			}
		}
	}
}
