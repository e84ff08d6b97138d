package pods_test

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/injector/redirect"
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// gatewayBind is the port on which the ingress gateway of these tests listens.
const gatewayBind = 10080

// entrances are the ways on which requests of programs reach an application through Envoys of the mesh.
type entrances struct {
	client, server, gateway, stranger, outside *pods.Pod
}

func newEntrances(t *testing.T) *entrances {
	t.Helper()
	n := pods.NewNetwork(t)
	e := &entrances{client: n.Pod(t, "client"), server: n.Pod(t, "server"), stranger: n.Bare(t), outside: n.Bare(t)}
	e.gateway = n.Custom(t, "gateway", redirect.Config{ExcludeInboundPorts: []uint16{gatewayBind}}, n.Bootstrap("gateway"))
	e.server.ServeHTTP(t, 8080, http.HandlerFunc(program))
	e.outside.ServeHTTPAt(t, nstest.Address(e.outside.IP.String(), plainPort), http.HandlerFunc(program))
	e.configure(t, func(*scope.Scope) {})
	return e
}

// configure lets everybody send any request. change edits each scope.
func (e *entrances) configure(t *testing.T, change func(*scope.Scope)) {
	t.Helper()
	server := &scope.Scope{
		Common: scope.Common{Key: scope.Key{Identity: books, Class: scope.Class{IPv6: true}}, TrustDomain: trustDomain},
		Sidecar: scope.Sidecar{
			Inbound: []scope.Inbound{{
				Service: web, Port: 80, TargetPort: 8080, Protocol: inventory.ProtocolHTTP, Rules: authz.Rules{Permissive: true, Routes: []authz.Route{{AnySource: true}}},
			}},
			Ingress: []scope.Ingress{{
				Policy: entity.Name{Namespace: "shop", Name: "front"}, Service: web, TargetPort: 8080, AnyRequest: true,
				Prefixes: []netip.Prefix{netip.PrefixFrom(e.stranger.IP, e.stranger.IP.BitLen())},
			}},
		},
	}
	cluster := scope.Cluster{
		Service: web, TargetPort: 8080, Protocol: inventory.ProtocolHTTP, Identities: []identity.ServiceAccount{books},
		Endpoints: scope.EndpointsKey{Service: web, TargetPort: 8080},
	}
	backends := []scope.Backend{{Cluster: cluster.Name(), Weight: 1}}
	client := &scope.Scope{
		Common: scope.Common{Key: scope.Key{Identity: buyer, Class: scope.Class{IPv6: true}}, TrustDomain: trustDomain, Clusters: []scope.Cluster{cluster}},
		Sidecar: scope.Sidecar{
			Outbound:    []scope.Outbound{{Service: web, Port: 80, Protocol: inventory.ProtocolHTTP, Addresses: []netip.Addr{webIP}, Backends: backends}},
			EgressPorts: []authz.EgressPort{{Number: plainPort, Hosts: []authz.EgressHost{{Host: e.outside.IP.String(), HTTP: true}}}},
		},
	}
	account := identity.ServiceAccount{Namespace: names.DefaultNamespace, Name: names.IngressGateway}
	gateway := &scope.Scope{
		Common: scope.Common{Key: scope.Key{Identity: account, Proxy: scope.ProxyIngressGateway}, TrustDomain: trustDomain, Clusters: []scope.Cluster{cluster}},
		IngressGateway: &scope.IngressGateway{Listeners: []scope.GatewayListener{{Name: "shop/web/http", Port: 80, Bind: gatewayBind, Hosts: []scope.GatewayHost{{
			Domain: "*", Routes: []scope.HTTPRoute{{Match: catalog.RouteMatch{PathType: "PathPrefix", Path: "/"}, Backends: backends}},
		}}}}},
	}
	for _, s := range []*scope.Scope{server, client, gateway} {
		change(s)
	}
	endpoints := endpointsAt(client, e.server.IP)
	e.server.Configure(t, server)
	e.client.Configure(t, client, endpoints...)
	e.gateway.SendAll(t, gateway, slices.Concat(envoy.Build(gateway), envoy.OutsideSecrets(gateway)), endpoints...)
}

// each runs a test at each entrance. send writes bytes and returns all that arrives until the other side closes the connection.
func (e *entrances) each(t *testing.T, test func(t *testing.T, host string, send func(request string) string)) {
	t.Helper()
	for name, from := range map[string]struct {
		pod     *pods.Pod
		address string
		host    string
	}{
		"through the sidecars":      {e.client, nstest.Address(webIP.String(), 80), "web.shop"},
		"from outside the mesh":     {e.stranger, nstest.Address(e.server.IP.String(), 8080), "web.shop"},
		"through a gateway":         {e.stranger, nstest.Address(e.gateway.IP.String(), gatewayBind), "web.example.com"},
		"to a server outside of it": {e.client, nstest.Address(e.outside.IP.String(), plainPort), e.outside.IP.String()},
	} {
		t.Run(name, func(t *testing.T) {
			test(t, from.host, func(request string) string {
				conn, err := from.pod.Dial(t, from.address)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				if _, err := io.WriteString(conn, request); err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(conn)
				if err != nil {
					t.Errorf("after %q: %v", got, err)
				}
				return string(got)
			})
		})
	}
}

// program is an application that answers with what it received.
func program(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Saw-Expect", r.Header.Get("Expect"))
	w.Header().Set("Saw-Host", r.Host)
	switch r.URL.Path {
	case "/rejects": // it answers before it reads the body, so Go sends no 100
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusUnauthorized)
		return
	case "/checks":
		w.Header().Set("Trailer", "X-Checksum")
	}
	body, _ := io.ReadAll(r.Body)
	for name, values := range r.Header {
		fmt.Fprintf(w, "header %s=%s\n", name, strings.Join(values, ","))
	}
	fmt.Fprintf(w, "%s with %d bytes, trailer %q\n", r.RequestURI, len(body), r.Trailer.Get("X-Sum"))
	w.Header().Set("X-Checksum", "42")
}

// TestRequestsOfPrograms sends requests in the forms that programs use and browsers do not.
func TestRequestsOfPrograms(t *testing.T) {
	t.Parallel()
	e := newEntrances(t)
	t.Run("HTTP 1.0", func(t *testing.T) {
		e.each(t, func(t *testing.T, host string, send func(string) string) {
			got := send("GET /old HTTP/1.0\r\nHost: " + host + "\r\n\r\n")
			if !strings.HasPrefix(got, "HTTP/1.0 200 ") || !strings.Contains(got, "\n/old with 0 bytes") {
				t.Errorf("a request of HTTP/1.0 is answered with %q, want 200 of the application", got)
			}
		})
	})
	t.Run("trailers", func(t *testing.T) { e.each(t, trailersArrive) })
	t.Run("100-continue", func(t *testing.T) { e.each(t, expectationArrives) })
	t.Run("underscores", func(t *testing.T) {
		e.each(t, func(t *testing.T, host string, send func(string) string) {
			got := send("GET / HTTP/1.1\r\nHost: " + host + "\r\nclient_id: 7\r\nConnection: close\r\n\r\n")
			if !strings.Contains(got, "header Client_id=7\n") {
				t.Errorf("a header with an underscore is answered with %q, want the header", got)
			}
		})
	})
}

func trailersArrive(t *testing.T, host string, send func(string) string) {
	got := send("POST /checks HTTP/1.1\r\nHost: " + host + "\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\nTE: trailers\r\nConnection: close, TE\r\n\r\n" +
		"3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n")
	if !strings.Contains(got, `with 3 bytes, trailer "7"`) {
		t.Errorf("the trailer of a request does not arrive: %q", got)
	}
	if !strings.Contains(strings.ToLower(got), "\r\nx-checksum: 42\r\n") {
		t.Errorf("the trailer of a response does not arrive: %q", got)
	}
}

// expectationArrives checks that nothing tells the client to send its body before the application has decided.
func expectationArrives(t *testing.T, host string, send func(string) string) {
	got := send("POST /rejects HTTP/1.1\r\nHost: " + host + "\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n")
	if !strings.HasPrefix(got, "HTTP/1.1 401 ") || !strings.Contains(strings.ToLower(got), "saw-expect: 100-continue") {
		t.Errorf("an expectation is answered with %q, want 401 of the application, which sees the expectation", got)
	}
	body := strings.Repeat("x", 100)
	if got := send("POST /accepts HTTP/1.1\r\nHost: " + host + "\r\nContent-Length: 100\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n" + body); !strings.Contains(got, "/accepts with 100 bytes") {
		t.Errorf("a body after an expectation is answered with %q, want 200", got)
	}
}

// TestDefaultHost checks which Host an application receives for a request of HTTP/1.0 without one: that of the Service, as if the client had used it. A gateway and
// an Egress select by the Host header, and reject such a request.
func TestDefaultHost(t *testing.T) {
	t.Parallel()
	e := newEntrances(t)
	e.each(t, func(t *testing.T, host string, send func(string) string) {
		got, service := send("GET / HTTP/1.0\r\n\r\n"), host == "web.shop"
		if saw := strings.Contains(strings.ToLower(got), "saw-host: "+names.ServiceHost(web.Name, web.Namespace)); saw != service {
			t.Errorf("a request without a host is answered with %q", got)
		}
		if status := strings.HasPrefix(got, "HTTP/1.0 400 "); status == service {
			t.Errorf("a request without a host is answered with %q", got)
		}
	})
}

// TestResponsesBeyondLimits counts how often applications execute requests whose responses the client's sidecar does not forward, because they have too many
// headers. For Envoy that is a reset, after which it repeats requests without side effects.
func TestResponsesBeyondLimits(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	var executed atomic.Int32
	s.server.ServeHTTP(t, 8082, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		executed.Add(1)
		for i := range 5000 {
			w.Header().Set(fmt.Sprintf("x-many-%d", i), "a")
		}
	}))
	server, client := s.serverScope(), s.clientScope()
	server.Inbound[0].TargetPort = 8082
	server.Inbound[0].Rules = authz.Rules{Permissive: true, Routes: []authz.Route{{AnySource: true}}}
	for i := range client.Clusters {
		if client.Clusters[i].Service == web {
			client.Clusters[i].TargetPort = 8082
		}
	}
	client.Outbound[0].Backends = []scope.Backend{{Cluster: scope.ClusterName(web, 8082), Weight: 1}}
	s.configure(t, client, server)
	for method, most := range map[string]int32{http.MethodGet: 3, http.MethodPost: 1} {
		executed.Store(0)
		got := s.client.Call(t, method, "http://10.96.0.1/")
		if times := executed.Load(); got.Status != http.StatusBadGateway || times < 1 || times > most {
			t.Errorf("the application has executed a %s request %d times, and the answer is %d %q, want at most %d and 502", method, times, got.Status, got.Body, most)
		}
	}
}
