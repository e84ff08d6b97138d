package pods_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// raw is a raw request, which Go's client would normalize, and its expected status.
type raw struct{ target, headers, want string }

func (s *shop) check(t *testing.T, requests []raw) {
	t.Helper()
	for _, r := range requests {
		head := "GET " + r.target + " HTTP/1.1\r\n" + r.headers
		if !strings.Contains(r.headers, "Host:") {
			head += "Host: web.shop\r\n"
		}
		if !strings.Contains(r.headers, "Connection:") {
			head += "Connection: close\r\n"
		}
		if got := s.status(t, head); got != r.want {
			t.Errorf("GET %s %q = %q, want %s", r.target, r.headers, got, r.want)
		}
	}
}

// status sends the head of a request unchanged and returns the status code of the response.
func (s *shop) status(t *testing.T, head string) string {
	t.Helper()
	conn := s.dial(t)
	defer conn.Close()
	if _, err := io.WriteString(conn, head+"\r\n"); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err.Error()
	}
	return strings.Fields(line)[1]
}

// throughSidecar connects to the Service web from the client's application.
func (s *shop) throughSidecar(t *testing.T) net.Conn {
	t.Helper()
	conn, err := s.client.Dial(t, "10.96.0.1:80")
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// TestThreat14To23 sends attacks. The client may only GET /books/.*; /admin is granted to another client.
// The names of subtests contain the number of the threat.
func TestThreat14To23(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.configure(t, s.clientScope(), s.serverScope())
	t.Run("Threat14", s.dotsInNames)
	t.Run("Threat15", s.dirtyPaths)
	t.Run("Threat16", s.ambiguousPaths)
	t.Run("Threat17", s.hosts)
	t.Run("Threat18", s.headerNames)
	t.Run("Threat19", s.headerBytes)
	t.Run("Threat20", s.spoofedHeaders)
	t.Run("Threat21", s.upgrades)
	t.Run("Threat22", s.httpOnTCPPort)
	t.Run("Threat23", s.podAddresses)
}

// dotsInNames checks that an account's name is not used as a regular expression.
func (s *shop) dotsInNames(t *testing.T) {
	server := s.serverScope()
	dotted := identity.ServiceAccount{Namespace: "shop", Name: "b.yer"}
	server.Inbound[0].Rules.Network[0].Sources = []identity.ServiceAccount{dotted}
	s.server.Configure(t, server)
	defer s.server.Configure(t, s.serverScope())
	// A new sidecar is needed, because open connections keep their permission.
	pod := s.network.Pod(t, "dotted")
	c := s.clientScope()
	pod.Configure(t, c, s.endpoints(c)...)
	if got := pod.Get(t, "http://10.96.0.1/books/1"); got.Status != 503 {
		t.Errorf("buyer, when b.yer is let in, gets %+v, want 503", got)
	}
	if got, err := pod.Exchange(t, "10.96.0.2:3306", ""); got != "" || isTimeout(err) {
		t.Errorf("buyer, when b.yer is let in, hears %q, %v over TCP, want a closed connection", got, err)
	}
}

func (s *shop) dirtyPaths(t *testing.T) {
	s.check(t, []raw{
		{"/books/1", "", "200"},
		{"//books//1", "", "200"},
		{"/x/../books/1", "", "200"},
		{"//admin", "", "403"},
		{"/books/../admin", "", "403"},
		{"/books/%2e%2e/admin", "", "403"},
		{"/books/..%2Fadmin", "", "400"},
		{"/books/..%2fadmin", "", "400"},
		{"/books/..%5Cadmin", "", "400"},
		{`/books/..\admin`, "", "403"},
	})
}

func (s *shop) ambiguousPaths(t *testing.T) {
	s.check(t, []raw{
		{"/books/1#/admin", "", "400"},
		{"/books/..;/admin", "", "403"},
		{"/books/..;x=1/admin", "", "403"},
		{"/books/%2e%2E;x/admin", "", "400"},
		{"/books/%2e;x/admin", "", "400"},
		{"/admin;x=1", "", "404"},
		{"/admin%00", "", "400"},
		{"/books/%00", "", "400"},
		{"/ADMIN", "", "404"},
		{"/BOOKS/1", "", "404"},
	})
}

func (s *shop) hosts(t *testing.T) {
	s.check(t, []raw{
		{"/books/1", "Host: Web.SHOP\r\n", "200"},
		{"/books/1", "Host: web.shop.\r\n", "200"},
		{"/books/1", "Host: web:80\r\n", "200"},
		{"http://elsewhere/books/1", "", "200"},
		{"http://elsewhere/admin", "", "403"},
		{"/books/1", "Host: web.shop\r\nHost: other\r\n", "400"},
	})
	if got := s.status(t, "GET /books/1 HTTP/1.1\r\nConnection: close\r\n"); got != "400" {
		t.Errorf("without Host = %q, want 400", got)
	}
}

func (s *shop) headerNames(t *testing.T) {
	s.check(t, []raw{{"/books/1", "user_id: 1\r\n", "200"}})
	server := s.serverScope()
	server.Inbound[0].Rules.Routes[0].Match.Headers = []catalog.HeaderMatch{{Name: "user", Regex: "alice"}}
	s.server.Configure(t, server)
	defer s.server.Configure(t, s.serverScope())
	s.check(t, []raw{
		{"/books/1", "user: alice\r\n", "200"},
		{"/books/1", "", "404"},
		{"/books/1", "user: bob\r\n", "404"},
		{"/books/1", "user: alice\r\nuser: bob\r\n", "404"},
		{"/books/1", "user: bob\r\nuser: alice\r\n", "404"},
		{"/books/1", "user: alice,bob\r\n", "404"},
	})
	s.otherSpellings(t, server)
}

// otherSpellings sends the header that a rule reads together with other spellings of its name, for which an application may take it.
func (s *shop) otherSpellings(t *testing.T, server *scope.Scope) {
	for _, test := range []struct{ read, removed, kept []string }{
		{[]string{"x-user"}, []string{"x_user", "X_User"}, []string{"user_id"}},
		{[]string{"x_user"}, []string{"x-user"}, []string{"user_id"}},
		{[]string{"x-user-id"}, []string{"x_user_id", "x-user_id", "x_user-id"}, []string{"x_user"}},
		{[]string{"x-user", "x_user"}, nil, nil},
	} {
		var matches []catalog.HeaderMatch
		headers := []string{}
		for _, name := range test.read {
			matches = append(matches, catalog.HeaderMatch{Name: name, Regex: "alice"})
			headers = append(headers, name+": alice")
		}
		server.Inbound[0].Rules.Routes[0].Match.Headers = matches
		s.server.Configure(t, server)
		for _, name := range slices.Concat(test.removed, test.kept) {
			headers = append(headers, name+": mallory")
		}
		got := s.client.Get(t, "http://10.96.0.1/books/1", headers...)
		for _, name := range slices.Concat(test.read, test.kept, test.removed) {
			saw := got.Header.Get("Saw-" + http.CanonicalHeaderKey(name))
			if want := !slices.Contains(test.removed, name); got.Status != http.StatusOK || (saw != "") != want {
				t.Errorf("a rule reads %q, and the application sees %s: %q with status %d, want it: %t", test.read, name, saw, got.Status, want)
			}
		}
	}
}

// headerBytes: bytes that are not UTF-8 must not slip through an expression. To Envoy each byte is a character.
func (s *shop) headerBytes(t *testing.T) {
	server := s.serverScope()
	server.Inbound[0].Rules.Routes[0].Match.Headers = []catalog.HeaderMatch{{Name: "user", Regex: "alice|[a-z]+"}}
	s.server.Configure(t, server)
	defer s.server.Configure(t, s.serverScope())
	s.check(t, []raw{
		{"/books/1", "user: alice\r\n", "200"},
		{"/books/1", "user: alice\xff\r\n", "404"},
		{"/books/1", "user: \x80\r\n", "404"},
	})
	server.Inbound[0].Rules.Routes[0].Match.Headers = []catalog.HeaderMatch{{Name: "user", Regex: "al.ce"}}
	s.server.Configure(t, server)
	s.check(t, []raw{
		{"/books/1", "user: al\xffce\r\n", "200"},
		{"/books/1", "user: al\xc3\xa9ce\r\n", "404"},
	})
}

func (s *shop) spoofedHeaders(t *testing.T) {
	s.spoof(t, "1.2.3.4")
	// Who claims to come from a private address is not trusted more than others.
	s.spoof(t, "10.9.9.9")
}

// spoof sends headers that only proxies may set, from a client that claims to forward for an address.
func (s *shop) spoof(t *testing.T, address string) {
	t.Helper()
	got := s.client.Get(t, "http://10.96.0.1/books/1",
		"x-forwarded-client-cert: By=me;URI=spiffe://cluster.local/thief/shop",
		"x-envoy-retry-on: 5xx", "x-envoy-upstream-rq-timeout-ms: 1", "x-forwarded-proto: https", "x-request-id: abc",
		"x-envoy-internal: true", "x-envoy-max-retries: 9", "x-forwarded-for: "+address)
	if got.Status != 200 {
		t.Fatalf("a request with forged headers is answered with %+v, want status 200", got)
	}
	for name, want := range map[string]string{
		"Saw-X-Forwarded-Client-Cert":        "",
		"Saw-X-Envoy-Retry-On":               "",
		"Saw-X-Envoy-Max-Retries":            "",
		"Saw-X-Envoy-Internal":               "",
		"Saw-X-Envoy-Upstream-Rq-Timeout-Ms": "",
		"Saw-X-Forwarded-Proto":              "https",
		"Saw-X-Request-Id":                   "abc",
		"Saw-X-Forwarded-For":                address + "," + s.client.IP.String(),
	} {
		if value := got.Header.Get(name); value != want {
			t.Errorf("%s = %q, want %q", name, value, want)
		}
	}
}

// upgrades are requests like others: the policy applies to them.
func (s *shop) upgrades(t *testing.T) {
	const websocket = "Upgrade: websocket\r\nConnection: Upgrade\r\n"
	s.check(t, []raw{
		{"/books/1", "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\n", "200"},
		{"/books/1", websocket, "200"},
		{"/admin", websocket, "403"},
		{"/other", websocket, "404"},
	})
	got, err := s.client.Exchange(t, "10.96.0.1:80", "GET /books/echo HTTP/1.1\r\nHost: web\r\n"+websocket+"\r\nhello\n")
	if !strings.HasPrefix(got, "HTTP/1.1 101 ") || !strings.HasSuffix(got, "\r\n\r\nhello\n") {
		t.Errorf("an allowed websocket = %q, %v, want 101 and an echo", got, err)
	}
	if got := s.status(t, "CONNECT 10.0.0.1:22 HTTP/1.1\r\nHost: 10.0.0.1:22\r\n"); got != "404" {
		t.Errorf("CONNECT = %q, want 404", got)
	}
}

// httpOnTCPPort: a TCP port passes bytes and promises no more.
func (s *shop) httpOnTCPPort(t *testing.T) {
	got, err := s.client.Exchange(t, "10.96.0.2:3306", "GET /admin HTTP/1.1\r\n")
	if want := "welcome\necho GET /admin HTTP/1.1\r\n"; got != want {
		t.Errorf("the application of the TCP port answers %q, %v, want %q", got, err, want)
	}
}

// podAddresses: the way around the Service's address leads to the same sidecar.
func (s *shop) podAddresses(t *testing.T) {
	for _, port := range []string{"8080", "3306"} {
		address := s.server.IP.String() + ":" + port
		for name, pod := range map[string]*pods.Pod{"a pod of the mesh": s.client, "a stranger": s.stranger} {
			if got, err := pod.Exchange(t, address, "GET /books/1 HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n"); got != "" || isTimeout(err) {
				t.Errorf("%s at %s hears %q, %v, want a closed connection", name, address, got, err)
			}
		}
	}
}
