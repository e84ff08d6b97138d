package pods_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

var (
	gateway          = identity.ServiceAccount{Namespace: "ingress", Name: "gateway"}
	gatewayPrincipal = gateway.Principal(trustDomain)
	elsewhere        = netip.MustParsePrefix("192.0.2.0/24")
)

// openTo configures the server with one IngressBackend for its port 8080.
func (s *shop) openTo(t *testing.T, change func(*scope.Ingress)) {
	t.Helper()
	server := s.serverScope()
	in := scope.Ingress{
		Policy: entity.Name{Namespace: "shop", Name: "front"}, Service: web, TargetPort: 8080, AnyRequest: true,
		Prefixes: []netip.Prefix{netip.PrefixFrom(s.stranger.IP, s.stranger.IP.BitLen())},
	}
	change(&in)
	server.Ingress = []scope.Ingress{in}
	s.server.Configure(t, server)
}

func (s *shop) address() string { return net.JoinHostPort(s.server.IP.String(), "8080") }

// waitStatus waits for an answer, 0 for a closed connection. Envoy applies routes and filters after the listener that refers to them.
func (s *shop) waitStatus(t *testing.T, from *pods.Pod, url string, want int, headers ...string) {
	t.Helper()
	eventually.True(t, 5*time.Second, fmt.Sprintf("%s answers %d", url, want), func() bool {
		answer := from.Get(t, url, headers...)
		return answer.Status == want && (answer.Err != nil) == (want == 0)
	})
}

func TestPlaintextIngress(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.server.Configure(t, s.serverScope())
	url := "http://" + s.address() + "/books/1"
	if answer := s.stranger.Get(t, url); answer.Err == nil {
		t.Fatalf("without an IngressBackend the answer is %d, want a closed connection", answer.Status)
	}
	for name, test := range map[string]struct {
		change func(*scope.Ingress)
		path   string
		want   int
	}{
		"its address":         {func(*scope.Ingress) {}, "/anything", http.StatusOK},
		"another address":     {func(in *scope.Ingress) { in.Prefixes = []netip.Prefix{elsewhere} }, "/anything", 0},
		"no address":          {func(in *scope.Ingress) { in.Prefixes = nil }, "/anything", 0},
		"a matching path":     {func(in *scope.Ingress) { in.AnyRequest, in.Matches = false, []catalog.HTTPMatch{{PathRegex: "/front"}} }, "/front", http.StatusOK},
		"another path":        {func(in *scope.Ingress) { in.AnyRequest, in.Matches = false, []catalog.HTTPMatch{{PathRegex: "/front"}} }, "/back", http.StatusNotFound},
		"an ambiguous path":   {func(*scope.Ingress) {}, "/front/%2e%2E;x/admin", http.StatusBadRequest},
		"TLS is not accepted": {func(in *scope.Ingress) { in.TLS, in.Principals = true, []string{gatewayPrincipal} }, "/anything", 0},
	} {
		t.Run(name, func(t *testing.T) {
			s.openTo(t, test.change)
			s.waitStatus(t, s.stranger, "http://"+s.address()+test.path, test.want,
				"X-Forwarded-For: "+s.stranger.IP.String(), "X-Forwarded-For: 192.0.2.1", "X-Real-IP: 192.0.2.1", "X-Envoy-External-Address: 192.0.2.1")
		})
	}
}

// The clients of the mesh keep their own rules: an IngressBackend grants them nothing, and takes nothing from them.
func TestIngressLeavesTheMeshAlone(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.configure(t, s.clientScope(), s.serverScope())
	for _, tls := range []bool{false, true} {
		s.openTo(t, func(in *scope.Ingress) { in.TLS, in.SkipClientCertificate = tls, tls })
		for path, want := range map[string]int{"/books/1": http.StatusOK, "/admin": http.StatusForbidden, "/front": http.StatusNotFound} {
			s.waitStatus(t, s.client, "http://"+webIP.String()+path, want)
		}
	}
}

func TestTLSIngress(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	second := pki.New(t)
	verified := func(in *scope.Ingress) { in.TLS, in.Principals = true, []string{gatewayPrincipal} }
	for name, test := range map[string]struct {
		change       func(*scope.Ingress)
		server       string
		certificates []tls.Certificate
		want         string
	}{
		"the gateway":                 {verified, "web.shop.svc.cluster.local", certificate(t, s.network.CA, gateway), "HTTP/1.1 200 "},
		"the gateway by another name": {verified, "books.shop.cluster.local", certificate(t, s.network.CA, gateway), "HTTP/1.1 200 "},
		"another principal":           {verified, "web.shop.svc.cluster.local", certificate(t, s.network.CA, thief), ""},
		"no certificate":              {verified, "web.shop.svc.cluster.local", nil, ""},
		"the gateway of another mesh": {verified, "web.shop.svc.cluster.local", certificate(t, second, gateway), ""},
		"the gateway from another address": {
			func(in *scope.Ingress) { verified(in); in.Prefixes = []netip.Prefix{elsewhere} },
			"web.shop.svc.cluster.local", certificate(t, s.network.CA, gateway), "",
		},
		"the gateway from any address": {
			func(in *scope.Ingress) { verified(in); in.Prefixes, in.AnyAddress = nil, true },
			"web.shop.svc.cluster.local", certificate(t, s.network.CA, gateway), "HTTP/1.1 200 ",
		},
		"no certificate where none is verified": {
			func(in *scope.Ingress) { in.TLS, in.SkipClientCertificate = true, true }, "web.shop.svc.cluster.local", nil, "HTTP/1.1 200 ",
		},
		"an accepted server name": {
			func(in *scope.Ingress) { verified(in); in.ServerNames = []string{"shop.example.com"} },
			"shop.example.com", certificate(t, s.network.CA, gateway), "HTTP/1.1 200 ",
		},
		"another server name": {
			func(in *scope.Ingress) { verified(in); in.ServerNames = []string{"shop.example.com"} },
			"web.shop.svc.cluster.local", certificate(t, s.network.CA, gateway), "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s.openTo(t, test.change)
			eventually.True(t, 10*time.Second, fmt.Sprintf("the answer begins with %q", test.want), func() bool {
				got, closed := s.handshake(t, test.server, test.certificates)
				return closed && strings.HasPrefix(got, test.want) && (got == "") == (test.want == "")
			})
		})
	}
}

// handshake sends a request over TLS, and returns the answer and whether the server closed the connection.
func (s *shop) handshake(t *testing.T, server string, certificates []tls.Certificate) (answer string, closed bool) {
	t.Helper()
	plain, err := s.stranger.Dial(t, s.address())
	if err != nil {
		t.Fatal(err)
	}
	// Only the server's verification is under test.
	conn := tls.Client(plain, &tls.Config{ServerName: server, Certificates: certificates, InsecureSkipVerify: true})
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET /front HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n")
	got, err := io.ReadAll(conn)
	return string(got), !isTimeout(err)
}

// A gateway keeps connections open for hours. A revoked permission must apply to their next request.
func TestRevokedIngressAppliesToOpenConnections(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.openTo(t, func(*scope.Ingress) {})
	conn, err := s.stranger.Dial(t, s.address())
	if err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(conn)
	ask := func() int {
		t.Helper()
		if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "GET /front HTTP/1.1\r\nHost: web\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		_, _ = io.Copy(io.Discard, response.Body)
		return response.StatusCode
	}
	if status := ask(); status != http.StatusOK {
		t.Fatalf("the answer is %d, want 200", status)
	}
	s.openTo(t, func(in *scope.Ingress) { in.Prefixes = []netip.Prefix{elsewhere} })
	eventually.True(t, 5*time.Second, "the open connection is denied", func() bool { return ask() == http.StatusForbidden })
}
