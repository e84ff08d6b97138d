package pods_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

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
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// validatingGateway is an ingress gateway whose listeners demand certificates of clients: one rejects others, and one admits them.
type validatingGateway struct {
	gateway, client *pods.Pod
	server          *pki.Authority
	target          netip.Addr
	// sessions are those that clients with certificates of an authority can resume.
	sessions map[*pki.Authority]tls.ClientSessionCache
}

const (
	strictPort   = 10443
	fallbackPort = 10444
)

// configure sets the authorities of clients.
func (g *validatingGateway) configure(t *testing.T, authorities ...*pki.Authority) {
	t.Helper()
	chain, key := g.server.Issue(t, identity.ServiceAccount{Namespace: "example", Name: "books"}, "com")
	var roots []byte
	for _, a := range authorities {
		roots = append(roots, a.RootPEM...)
	}
	cluster := scope.Cluster{Service: entity.Name{Namespace: "shop", Name: "books"}, TargetPort: 8080, Protocol: inventory.ProtocolHTTP}
	cluster.Identities = []identity.ServiceAccount{books}
	cluster.Endpoints = scope.EndpointsKey{Service: cluster.Service, TargetPort: cluster.TargetPort}
	hosts := []scope.GatewayHost{{Domain: "*", Routes: []scope.HTTPRoute{
		{Match: catalog.RouteMatch{PathType: "PathPrefix", Path: "/"}, Backends: []scope.Backend{{Cluster: cluster.Name(), Weight: 1000}}},
	}}}
	s := &scope.Scope{
		Common: scope.Common{
			Key:         scope.Key{Identity: identity.ServiceAccount{Namespace: names.DefaultNamespace, Name: names.IngressGateway}, Proxy: scope.ProxyIngressGateway},
			TrustDomain: trustDomain,
			Clusters:    []scope.Cluster{cluster},
		},
		IngressGateway: &scope.IngressGateway{
			Listeners: []scope.GatewayListener{
				{Name: "shop/web/a", Port: 443, Bind: strictPort, Certificates: []string{"tls"}, Clients: &scope.GatewayClients{Authorities: "shop/web|443"}, Hosts: hosts},
				{Name: "shop/web/b", Port: 444, Bind: fallbackPort, Certificates: []string{"tls"}, Clients: &scope.GatewayClients{Authorities: "shop/web|444", AllowInvalid: true}, Hosts: hosts},
			},
			Certificates: []scope.GatewayCertificate{{Name: "tls", ChainPEM: chain, KeyPEM: key}},
			Authorities:  []scope.GatewayAuthorities{{Name: "shop/web|443", PEM: roots}, {Name: "shop/web|444", PEM: roots}},
		},
	}
	g.gateway.SendAll(t, s, slices.Concat(envoy.Build(s), envoy.OutsideSecrets(s)),
		scope.Endpoints{Key: cluster.Endpoints, Addresses: []netip.AddrPort{netip.AddrPortFrom(g.target, cluster.TargetPort)}})
}

// request sends a request with a certificate of an authority, or without one. It returns the status, or "closed".
func (g *validatingGateway) request(t *testing.T, port uint16, authority *pki.Authority) string {
	t.Helper()
	conn, err := g.client.Dial(t, nstest.Address(g.gateway.IP.String(), port))
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{InsecureSkipVerify: true, ServerName: "books.example.com"}
	if authority != nil {
		pair, err := tls.X509KeyPair(authority.Issue(t, identity.ServiceAccount{Namespace: "example", Name: "client"}, "com"))
		if err != nil {
			t.Fatal(err)
		}
		// Clients send a certificate whatever authorities the server names.
		config.ClientSessionCache = g.sessions[authority]
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	secure := tls.Client(conn, config)
	defer secure.Close()
	if err := secure.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(secure, "GET / HTTP/1.1\r\nHost: books.example.com\r\nX-Forwarded-Client-Cert: By=forged\r\nX-Envoy-Retry-On: 5xx\r\n"+
		"X-Envoy-Max-Retries: 9\r\nX-Envoy-Internal: true\r\nConnection: close\r\n\r\n")
	answer, err := http.ReadResponse(bufio.NewReader(secure), nil)
	if err != nil {
		return "closed"
	}
	defer answer.Body.Close()
	// The client has a private address, and nothing that it claims is trusted for that.
	body, err := io.ReadAll(answer.Body)
	for _, forged := range []string{"forwarded-client-cert", "x-envoy-retry-on", "x-envoy-max-retries", "x-envoy-internal"} {
		if err == nil && strings.Contains(strings.ToLower(string(body)), forged) {
			t.Errorf("the application sees %s", body)
		}
	}
	return fmt.Sprint(answer.StatusCode)
}

// TestGatewayVerifiesCertificatesOfClients sends requests with a certificate of the right authority, of another one, and without one. Other authorities
// apply to the next connection, also if it resumes a session.
func TestGatewayVerifiesCertificatesOfClients(t *testing.T) {
	t.Parallel()
	n := pods.NewNetwork(t)
	g := &validatingGateway{client: n.Bare(t), server: pki.New(t)}
	g.gateway = n.Custom(t, "gateway", redirect.Config{ExcludeInboundPorts: []uint16{strictPort, fallbackPort}}, n.Bootstrap("gateway"))
	server := n.Pod(t, "server")
	g.target = server.IP
	server.ServeHTTP(t, 8080, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Header) }))
	server.Configure(t, &scope.Scope{
		Common: scope.Common{Key: scope.Key{Identity: books}, TrustDomain: trustDomain},
		Sidecar: scope.Sidecar{Inbound: []scope.Inbound{{
			Service: entity.Name{Namespace: "shop", Name: "books"}, Port: 80, TargetPort: 8080, Protocol: inventory.ProtocolHTTP,
			Rules: authz.Rules{Permissive: true, Routes: []authz.Route{{AnySource: true}}},
		}}},
	})
	one, two := pki.New(t), pki.New(t)
	g.sessions = map[*pki.Authority]tls.ClientSessionCache{one: tls.NewLRUClientSessionCache(1), two: tls.NewLRUClientSessionCache(1)}
	expect := func(when string, port uint16, authority *pki.Authority, want string) {
		t.Helper()
		if got := g.request(t, port, authority); got != want {
			t.Errorf("%s: port %d answers %s, want %s", when, port, got, want)
		}
	}
	g.configure(t, one)
	expect("the right authority", strictPort, one, "200")
	expect("another authority", strictPort, two, "closed")
	expect("no certificate", strictPort, nil, "closed")
	if _, resumes := g.sessions[one].Get("books.example.com"); !resumes {
		t.Error("the gateway offers no session to resume")
	}
	for when, authority := range map[string]*pki.Authority{"the right authority": one, "another authority": two, "no certificate": nil} {
		expect(when, fallbackPort, authority, "200")
	}
	g.configure(t, two)
	expect("after the authorities changed, the earlier one", strictPort, one, "closed")
	expect("after the authorities changed, the new one", strictPort, two, "200")
	g.configure(t, one, two)
	expect("with both authorities, the first one", strictPort, one, "200")
	expect("with both authorities, the second one", strictPort, two, "200")
}
