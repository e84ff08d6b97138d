package pods_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
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
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// provedPort is the port of the outside server that requires client certificates.
const provedPort = 9443

// outgoing is a client with a sidecar, an egress gateway, a pod without a sidecar, and a server outside the mesh.
type outgoing struct {
	network                            *pods.Network
	client, gateway, stranger, outside *pods.Pod
	// authority issued the certificates of the server and of the gateway's client certificate.
	authority *pki.Authority
}

// outside is an Egress of buyer to api.example.com.
var outsidePolicy = entity.Name{Namespace: "shop", Name: "outside"}

func newOutgoing(t *testing.T) *outgoing {
	t.Helper()
	n := pods.NewNetwork(t)
	dns := n.NameServer(t)
	o := &outgoing{network: n, stranger: n.Bare(t), outside: n.Bare(t), authority: pki.New(t)}
	config := n.Bootstrap("gateway")
	config.TypedDnsResolverConfig = dns.ResolverConfig()
	o.gateway = n.Custom(t, "gateway", redirect.Config{ExcludeInboundPorts: []uint16{names.EgressGatewayPort}}, config)
	o.client = n.Pod(t, "client") // its sidecar cannot look up the host
	dns.Set("api.example.com", o.outside.IP)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from, _, _ := net.SplitHostPort(r.RemoteAddr)
		proved := "nobody"
		if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
			proved = r.TLS.PeerCertificates[0].DNSNames[0]
		}
		fmt.Fprintf(w, "%s from %s as %s by HTTP/%d", r.Host, from, proved, r.ProtoMajor)
	})
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(o.authority.RootPEM)
	pair := o.issue(t, "api")
	for port, config := range map[uint16]*tls.Config{
		plainPort: nil,
		tlsPort:   {Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"}},
		provedPort: {
			Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots,
		},
	} {
		server := &http.Server{Handler: handler, TLSConfig: config}
		listener := o.outside.NS.Listen(t, nstest.Address(o.outside.IP.String(), port))
		t.Cleanup(func() { _ = server.Close() })
		go func() {
			if config == nil {
				_ = server.Serve(listener)
			} else {
				_ = server.ServeTLS(listener, "", "")
			}
		}()
	}
	return o
}

// issue returns a certificate of <name>.example.com.
func (o *outgoing) issue(t *testing.T, name string) tls.Certificate {
	t.Helper()
	pair, err := tls.X509KeyPair(o.authority.Issue(t, identity.ServiceAccount{Namespace: "example", Name: name}, "com"))
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// destination is api.example.com on a port.
func destination(port uint16, protocol inventory.Protocol, change ...func(*scope.EgressDestination)) scope.EgressDestination {
	d := scope.EgressDestination{GatewayDestination: authz.GatewayDestination{
		Policy: outsidePolicy, Host: "api.example.com", Port: port, Protocol: protocol, Sources: []identity.ServiceAccount{buyer},
	}}
	for _, c := range change {
		c(&d)
	}
	return d
}

// encrypted makes the gateway encrypt requests with the credential of a name.
func encrypted(port uint16, credential string, proves bool) func(*scope.EgressDestination) {
	return func(d *scope.EgressDestination) {
		d.TLS, d.Credential, d.HasClientCertificate = &catalog.EgressTLS{Port: port}, credential, proves
	}
}

// configure gives the gateway its destinations.
func (o *outgoing) configure(t *testing.T, destinations ...scope.EgressDestination) {
	t.Helper()
	chain, key := o.authority.Issue(t, identity.ServiceAccount{Namespace: "example", Name: "partner"}, "com")
	s := &scope.Scope{
		Common: scope.Common{
			Key:         scope.Key{Identity: identity.ServiceAccount{Namespace: names.DefaultNamespace, Name: names.EgressGateway}, Proxy: scope.ProxyEgressGateway},
			TrustDomain: trustDomain,
		},
		EgressGateway: &scope.EgressGateway{Destinations: destinations, Credentials: []scope.EgressCredential{
			{Name: "right", AuthoritiesPEM: o.authority.RootPEM, ChainPEM: chain, KeyPEM: key},
			{Name: "wrong", AuthoritiesPEM: o.network.CA.RootPEM},
		}},
	}
	o.gateway.SendAll(t, s, slices.Concat(envoy.Build(s), envoy.OutsideSecrets(s)))
}

// send gives the client the Egress of these ports, and the address of a gateway.
func (o *outgoing) send(t *testing.T, gateway []netip.Addr, ports ...uint16) {
	t.Helper()
	s := &scope.Scope{
		Common: scope.Common{Key: scope.Key{Identity: buyer}, TrustDomain: trustDomain},
		Sidecar: scope.Sidecar{
			EgressGatewayService: &scope.EgressGatewayService{Namespace: names.DefaultNamespace, Addresses: gateway},
		},
	}
	for _, port := range ports {
		s.EgressPorts = append(s.EgressPorts, authz.EgressPort{Number: port, Hosts: []authz.EgressHost{
			{Host: "api.example.com", HTTP: true, HTTPGateway: outsidePolicy, TLS: true, TLSGateway: outsidePolicy},
		}})
	}
	slices.SortFunc(s.EgressPorts, func(a, b authz.EgressPort) int { return int(a.Number) - int(b.Number) })
	o.client.Configure(t, s)
}

// request returns the status and the body for an HTTP request to a host.
func (o *outgoing) request(t *testing.T, port uint16, host string) string {
	t.Helper()
	answer := o.client.Get(t, "http://"+nstest.Address(o.outside.IP.String(), port), "Host: "+host)
	return fmt.Sprintf("%d %s", answer.Status, strings.TrimSpace(answer.Body))
}

// Servers outside the mesh see the gateway, and neither the client nor its certificate.
func TestEgressGatewayForwards(t *testing.T) {
	t.Parallel()
	o := newOutgoing(t)
	o.configure(t, destination(plainPort, inventory.ProtocolHTTP), destination(tlsPort, catalog.ProtocolHTTPS),
		destination(80, inventory.ProtocolHTTP, encrypted(tlsPort, "right", false)), destination(81, inventory.ProtocolHTTP, encrypted(provedPort, "right", true)),
		destination(82, inventory.ProtocolHTTP, encrypted(tlsPort, "wrong", false)), destination(83, inventory.ProtocolHTTP, encrypted(tlsPort, "", false)),
		destination(84, inventory.ProtocolHTTP, encrypted(provedPort, "right", false)),
		destination(85, inventory.ProtocolHTTP, encrypted(tlsPort, "right", false), func(d *scope.EgressDestination) { d.Host = o.outside.IP.String() }))
	o.send(t, []netip.Addr{o.gateway.IP}, 80, 81, 82, 83, 84, plainPort, tlsPort)
	from := " from " + o.gateway.IP.String()
	for name, test := range map[string]struct {
		port uint16
		want string
	}{
		"as it is":                        {plainPort, "200 api.example.com" + from + " as nobody by HTTP/1"},
		"encrypted":                       {80, "200 api.example.com:8443" + from + " as nobody by HTTP/1"},
		"encrypted by a partner":          {81, "200 api.example.com:9443" + from + " as partner.example.com by HTTP/1"},
		"authorities of others":           {82, "503 "},
		"no usable Secret":                {83, "503 the Secret of the Egress cannot be used: see its status"},
		"a server that wants to be shown": {84, "503 "},
	} {
		if got := o.request(t, test.port, "api.example.com"); !strings.HasPrefix(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
	if got := o.client.GetHTTP2(t, "http://"+nstest.Address(o.outside.IP.String(), 80)); got.Status != http.StatusNotFound {
		t.Errorf("a request for another host gets %d, want 404", got.Status)
	}
	if got := o.handshake(t); !strings.HasSuffix(got, "api.example.com"+from+" as nobody by HTTP/1") {
		t.Errorf("a TLS connection gets %q, want an answer from the server to the gateway", got)
	}
}

// handshake returns the answer to a request over TLS of the application.
func (o *outgoing) handshake(t *testing.T) string {
	t.Helper()
	plain, err := o.client.Dial(t, nstest.Address(o.outside.IP.String(), tlsPort))
	if err != nil {
		return err.Error()
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(o.authority.RootPEM)
	transport := &http.Transport{DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
		return tls.Client(plain, &tls.Config{ServerName: "api.example.com", RootCAs: roots}), nil
	}}
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Get("https://api.example.com/")
	if err != nil {
		return err.Error()
	}
	defer answer.Body.Close()
	line, _ := bufio.NewReader(answer.Body).ReadString('\n')
	return line
}

// Without a gateway, requests fail, and none leaves without it.
func TestEgressGatewayAway(t *testing.T) {
	t.Parallel()
	o := newOutgoing(t)
	o.network.Reject(t, netip.MustParsePrefix("10.77.99.0/24"))
	for name, addresses := range map[string][]netip.Addr{"no Service": nil, "no pod": {netip.MustParseAddr("10.77.99.1")}, "no configuration": {o.gateway.IP}} {
		o.send(t, addresses, plainPort, tlsPort)
		if got := o.request(t, plainPort, "api.example.com"); !strings.HasPrefix(got, "503 ") {
			t.Errorf("%s: a request gets %q, want 503", name, got)
		}
		if got := o.handshake(t); !strings.Contains(got, "EOF") && !strings.Contains(got, "reset") {
			t.Errorf("%s: a TLS connection gets %q, want that it is closed", name, got)
		}
	}
}

// TestThreat42EgressGatewayRejects connects to the gateway without a sidecar: only a client of the policy reaches a host, and only the one that
// the policy names.
func TestThreat42EgressGatewayRejects(t *testing.T) {
	t.Parallel()
	o := newOutgoing(t)
	restricted := destination(81, inventory.ProtocolHTTP, func(d *scope.EgressDestination) {
		d.Restricted, d.Matches = true, []catalog.HTTPMatch{{PathRegex: "/public"}}
	})
	plain, bytes := destination(plainPort, inventory.ProtocolHTTP), destination(tlsPort, catalog.ProtocolHTTPS)
	o.configure(t, plain, bytes, restricted)
	dial := func(sa *identity.ServiceAccount, server, protocol string) *tls.Conn {
		conn, err := o.stranger.Dial(t, nstest.Address(o.gateway.IP.String(), names.EgressGatewayPort))
		if err != nil {
			t.Fatal(err)
		}
		config := &tls.Config{ServerName: server, NextProtos: []string{protocol}, InsecureSkipVerify: true} // only the gateway's verification is under test
		if sa != nil {
			config.Certificates = certificate(t, o.network.CA, *sa)
		}
		return tls.Client(conn, config)
	}
	status := func(conn *tls.Conn, request string) string {
		if _, err := conn.Write([]byte(request)); err != nil {
			return "closed"
		}
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			return "closed"
		}
		defer answer.Body.Close()
		return answer.Status[:3]
	}
	get := func(path, host string) string { return "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n" }
	name := func(d scope.EgressDestination) string { return d.ID() + ".egress" }
	for _, test := range []struct {
		what                     string
		account                  *identity.ServiceAccount
		server, request, outcome string
	}{
		{"a client of the policy", &buyer, name(plain), get("/", "api.example.com"), "200"},
		{"another client", &thief, name(plain), get("/", "api.example.com"), "closed"},
		{"another client that encrypts", &thief, name(bytes), "\x16\x03\x01", "closed"},
		{"no certificate", nil, name(plain), get("/", "api.example.com"), "closed"},
		{"another host", &buyer, name(plain), get("/", "metadata.internal"), "404"},
		{"the address of a metadata server", &buyer, name(plain), get("/", "169.254.169.254"), "404"},
		{"no destination", &buyer, "api.example.com", get("/", "api.example.com"), "closed"},
		{"a tunnel", &buyer, name(plain), "CONNECT 10.0.0.1:22 HTTP/1.1\r\nHost: 10.0.0.1:22\r\n\r\n", "404"},
		{"an allowed path", &buyer, name(restricted), get("/public", "api.example.com"), "503"},
		{"another path", &buyer, name(restricted), get("/private", "api.example.com"), "404"},
		{"a path that leads elsewhere", &buyer, name(restricted), get("/public/../private", "api.example.com"), "400"},
	} {
		if got := status(dial(test.account, test.server, "osm"), test.request); got != test.outcome {
			t.Errorf("%s gets %s, want %s", test.what, got, test.outcome)
		}
	}
	if got := status(dial(&buyer, name(plain), "http/1.1"), get("/", "api.example.com")); got != "closed" {
		t.Errorf("a client that is no sidecar gets %s, want a closed connection", got)
	}

	open := dial(&buyer, name(plain), "osm")
	if got := status(open, get("/", "api.example.com")); got != "200" {
		t.Fatalf("an open connection gets %s, want 200", got)
	}
	plain.Sources = []identity.ServiceAccount{thief}
	o.configure(t, plain, bytes, restricted)
	eventually.True(t, 20*time.Second, "new connections of the earlier client are refused", func() bool {
		return status(dial(&buyer, name(plain), "osm"), get("/", "api.example.com")) == "closed"
	})
	if got := status(open, get("/", "api.example.com")); got != "403" && got != "closed" {
		t.Errorf("an open connection of the earlier client gets %s, want 403", got)
	}
}
