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

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// Ports of the outside servers.
const (
	plainPort = 8088
	tlsPort   = 8443
	bytesPort = 5432
)

// abroad is a client with a sidecar, and two servers without one, of which only the first has a DNS name.
type abroad struct {
	client, named, other *pods.Pod
	dns                  *pods.NameServer
}

func newAbroad(t *testing.T) *abroad {
	t.Helper()
	return newAbroadIn(t, pods.NewNetwork(t))
}

func newAbroadIn(t *testing.T, n *pods.Network) *abroad {
	t.Helper()
	a := &abroad{dns: n.NameServer(t), named: n.Bare(t), other: n.Bare(t)}
	a.dns.Set("api.example.com", a.named.IP)
	config := n.Bootstrap("client")
	config.TypedDnsResolverConfig = a.dns.ResolverConfig()
	a.client = n.PodFrom(t, "client", config)
	for name, pod := range map[string]*pods.Pod{"named": a.named, "other": a.other} {
		serveOutside(t, pod, name)
	}
	return a
}

// serveOutside answers with the name of the server: HTTP on plainPort, HTTP over TLS on tlsPort, and a greeting on bytesPort.
func serveOutside(t *testing.T, pod *pods.Pod, name string) {
	t.Helper()
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, name, " ", r.Host) })}
	t.Cleanup(func() { _ = server.Close() })
	for _, address := range pod.Addresses() {
		plain := pod.NS.Listen(t, nstest.Address(address.String(), plainPort))
		go func() { _ = server.Serve(plain) }()
		secure := tls.NewListener(pod.NS.Listen(t, nstest.Address(address.String(), tlsPort)), &tls.Config{Certificates: []tls.Certificate{ownCertificate(t)}})
		go func() { _ = server.Serve(secure) }()
		bytes := pod.NS.Listen(t, nstest.Address(address.String(), bytesPort))
		go func() {
			for {
				conn, err := bytes.Accept()
				if err != nil {
					return
				}
				go func() {
					defer conn.Close()
					_, _ = io.WriteString(conn, name+"\n")
					_, _ = io.Copy(conn, conn)
				}()
			}
		}()
	}
}

// configure gives the client policies for ports outside the mesh.
func (a *abroad) configure(t *testing.T, egress bool, ports ...authz.EgressPort) {
	t.Helper()
	s := &scope.Scope{
		Common:  scope.Common{Key: scope.Key{Identity: buyer, Class: scope.Class{IPv6: true}}, TrustDomain: trustDomain},
		Sidecar: scope.Sidecar{Egress: egress, EgressPorts: ports},
	}
	a.client.Configure(t, s)
}

// request returns the status and the body for a Host header at an address; 0 for a closed connection.
func (a *abroad) request(t *testing.T, at netip.Addr, host, path string) (int, string) {
	t.Helper()
	answer := a.client.Get(t, "http://"+nstest.Address(at.String(), plainPort)+path, "Host: "+host)
	return answer.Status, answer.Body
}

// handshake returns the body of an HTTP response over TLS; empty for a closed connection.
func (a *abroad) handshake(t *testing.T, at netip.Addr, server string) string {
	t.Helper()
	plain, err := a.client.Dial(t, nstest.Address(at.String(), tlsPort))
	if err != nil {
		return ""
	}
	defer plain.Close()
	conn := tls.Client(plain, &tls.Config{ServerName: server, InsecureSkipVerify: true}) // only the destination is under test
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: any\r\nConnection: close\r\n\r\n")
	got, _ := io.ReadAll(conn)
	_, body, _ := strings.Cut(string(got), "\r\n\r\n")
	return body
}

// greeting returns the first line of a server that speaks first; empty for a closed connection.
func (a *abroad) greeting(t *testing.T, at netip.Addr) string {
	t.Helper()
	conn, err := a.client.Dial(t, nstest.Address(at.String(), bytesPort))
	if err != nil {
		return ""
	}
	defer conn.Close()
	line, _ := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(line)
}

func httpTo(hosts ...authz.EgressHost) authz.EgressPort {
	return authz.EgressPort{Number: plainPort, Hosts: hosts}
}

// A client cannot reach another address by naming an allowed host: the sidecar resolves the host itself.
func TestThreat42HostDoesNotChooseTheAddress(t *testing.T) {
	t.Parallel()
	a := newAbroad(t)
	a.configure(t, false, httpTo(authz.EgressHost{Host: "api.example.com", HTTP: true, TLS: true}),
		authz.EgressPort{Number: tlsPort, Hosts: []authz.EgressHost{{Host: "api.example.com", TLS: true}}})
	for _, at := range []netip.Addr{a.named.IP, a.other.IP, a.other.IP6, netip.MustParseAddr("169.254.169.254")} {
		if status, body := a.request(t, at, "api.example.com", "/"); status != http.StatusOK || !strings.HasPrefix(body, "named ") {
			t.Errorf("a request to %s for the allowed host gets %d %q, want an answer of the host itself", at, status, body)
		}
		if body := a.handshake(t, at, "api.example.com"); !strings.HasPrefix(body, "named ") {
			t.Errorf("a TLS connection to %s for the allowed host gets %q, want an answer of the host itself", at, body)
		}
	}
	if status, body := a.request(t, a.named.IP, "other.example.com", "/"); status != http.StatusNotFound || !strings.Contains(body, "no Egress allows this host") {
		t.Errorf("another host gets %d %q, want 404 and the reason", status, body)
	}
}

// Only the server name of a policy is a destination: not an address without a name, another name, or plaintext.
func TestThreat43ServerNames(t *testing.T) {
	t.Parallel()
	a := newAbroad(t)
	a.configure(t, false, authz.EgressPort{
		Number: tlsPort, Hosts: []authz.EgressHost{{Host: "api.example.com", TLS: true}},
		Ranges: []authz.EgressRange{{Prefix: netip.PrefixFrom(a.other.IP, 32), ServerNames: []string{"*.example.org"}}},
	})
	for _, test := range []struct {
		at     netip.Addr
		server string
		want   string
	}{
		{a.other.IP, "api.example.com", "named any"},
		{a.named.IP, "db.example.com", ""},
		{a.named.IP, "", ""},
		{a.other.IP, "db.example.org", "other any"},
		{a.named.IP, "db.example.org", ""},
		{a.other.IP, "example.org", ""},
	} {
		if got := a.handshake(t, test.at, test.server); got != test.want {
			t.Errorf("a connection to %s with the server name %q gets %q, want %q", test.at, test.server, got, test.want)
		}
	}
	if answer, err := a.client.Exchange(t, nstest.Address(a.named.IP.String(), tlsPort), "GET / HTTP/1.1\r\nHost: api.example.com\r\n\r\n"); err == nil && answer != "" {
		t.Errorf("plaintext gets %q, want a closed connection", answer)
	}
}

func TestEgressOfRanges(t *testing.T) {
	t.Parallel()
	a := newAbroad(t)
	a.configure(t, false, authz.EgressPort{Number: bytesPort, Ranges: []authz.EgressRange{
		{Prefix: netip.PrefixFrom(a.named.IP, 32), Any: true}, {Prefix: netip.PrefixFrom(a.other.IP6, 64), Any: true},
	}})
	for at, want := range map[netip.Addr]string{a.named.IP: "named", a.other.IP6: "other", a.other.IP: "", a.named.IP6: ""} {
		if got := a.greeting(t, at); got != want {
			t.Errorf("a connection to %s is greeted by %q, want %q", at, got, want)
		}
	}
}

func TestRestrictedEgress(t *testing.T) {
	t.Parallel()
	a := newAbroad(t)
	a.configure(t, false, httpTo(authz.EgressHost{Host: "api.example.com", HTTP: true, Restricted: true, Matches: []catalog.HTTPMatch{{PathRegex: "/public/.*", Methods: []string{"GET"}}}}))
	for path, want := range map[string]int{
		"/public/a": http.StatusOK, "/public/a?b=//": http.StatusOK, "/private": http.StatusNotFound,
		"/public/../private": http.StatusBadRequest, "/public/%2e%2E/private": http.StatusBadRequest, "/public/..;/private": http.StatusBadRequest,
		"/public//a": http.StatusBadRequest, "/public/a%2fb": http.StatusBadRequest, "/public/a/..": http.StatusBadRequest, "/public/%5C": http.StatusBadRequest,
	} {
		answer, err := a.client.Exchange(t, nstest.Address(a.other.IP.String(), plainPort), "GET "+path+" HTTP/1.1\r\nHost: api.example.com:8088\r\nConnection: close\r\n\r\n")
		if err != nil || !strings.HasPrefix(answer, fmt.Sprintf("HTTP/1.1 %d ", want)) {
			t.Errorf("%s gets %.40q (%v), want %d", path, answer, err, want)
		}
	}
}

// New connections use the current DNS answer, and a failed query keeps the last one.
func TestEgressFollowsDNS(t *testing.T) {
	t.Parallel()
	a := newAbroad(t)
	a.configure(t, false, httpTo(authz.EgressHost{Host: "api.example.com", HTTP: true}, authz.EgressHost{Host: "late.example.com", HTTP: true}))
	if status, _ := a.request(t, a.other.IP, "late.example.com", "/"); status != http.StatusServiceUnavailable {
		t.Errorf("a host without an address gets %d, want 503", status)
	}
	a.dns.Set("api.example.com", a.other.IP)
	a.dns.Set("late.example.com", a.other.IP)
	answered := func(host, by string) func() bool {
		return func() bool {
			_, body := a.request(t, a.named.IP, host, "/")
			return body == by+" "+host
		}
	}
	eventually.True(t, time.Minute, "the new address answers", answered("api.example.com", "other"))
	eventually.True(t, 40*time.Second, "the name that did not exist answers", answered("late.example.com", "other"))
	a.dns.Set("api.example.com")
	for range 20 {
		if !answered("api.example.com", "other")() {
			t.Fatal("a name that no longer exists loses its last address")
		}
	}
}

// With egress for the whole mesh, policies only decide about the hosts that they name.
func TestEgressPolicyWithPassthrough(t *testing.T) {
	t.Parallel()
	a := newAbroad(t)
	a.configure(t, true, httpTo(authz.EgressHost{Host: "api.example.com", HTTP: true, TLS: true}),
		authz.EgressPort{Number: tlsPort, Hosts: []authz.EgressHost{{Host: "api.example.com", TLS: true}}})
	for host, want := range map[string]string{"api.example.com": "named", "other.example.com": "other"} {
		if _, body := a.request(t, a.other.IP, host, "/"); body != want+" "+host {
			t.Errorf("a request for %s gets %q, want an answer of %s", host, body, want)
		}
		if body := a.handshake(t, a.other.IP, host); body != want+" any" {
			t.Errorf("a TLS connection for %s gets %q, want an answer of %s", host, body, want)
		}
	}
	if got := a.greeting(t, a.other.IP); got != "other" {
		t.Errorf("another port is greeted by %q, want other", got)
	}
}

// An edit of a policy leaves open connections alone that both versions allow, and closes those that only the first one allows.
func TestEgressEditKeepsConnections(t *testing.T) {
	t.Parallel()
	a := newAbroad(t)
	kept, removed := netip.PrefixFrom(a.named.IP, 32), netip.PrefixFrom(a.other.IP, 32)
	a.configure(t, false, authz.EgressPort{Number: bytesPort, Ranges: []authz.EgressRange{{Prefix: kept, Any: true}, {Prefix: removed, Any: true}}})
	open := func(at netip.Addr) (net.Conn, *bufio.Reader) {
		conn, err := a.client.Dial(t, nstest.Address(at.String(), bytesPort))
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		lines := bufio.NewReader(conn)
		if _, err := lines.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		return conn, lines
	}
	stays, lines := open(a.named.IP)
	_, other := open(a.other.IP)
	a.configure(t, false, authz.EgressPort{Number: bytesPort, Ranges: []authz.EgressRange{{Prefix: kept, Any: true}, {Prefix: elsewhere, Any: true}}},
		httpTo(authz.EgressHost{Host: "api.example.com", HTTP: true}))
	if _, err := other.ReadString('\n'); err == nil || isTimeout(err) {
		t.Errorf("the connection to a removed range stays open: %v", err)
	}
	if _, err := io.WriteString(stays, "still there\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := lines.ReadString('\n'); err != nil || line != "still there\n" {
		t.Errorf("the connection to the remaining range gets %q, %v", line, err)
	}
}
