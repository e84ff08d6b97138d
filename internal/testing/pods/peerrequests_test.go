package pods_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// TestPeersHaveRoutesOfTheirOwn compares the requests of clients of two peers and of this mesh: what one may send says nothing about the others.
func TestPeersHaveRoutesOfTheirOwn(t *testing.T) {
	t.Parallel()
	p := newPeered(t)
	for name, test := range map[string]struct {
		client attempt
		want   map[string]string
	}{
		east:   {attempt{certificate: p.east.Genuine(buyer, eastDomain), clients: eastDomain}, map[string]string{"/books/1": "200", "/prices": "200", "/admin": "403", "/x": "404"}},
		west:   {attempt{certificate: p.west.Genuine(buyer, westDomain), clients: westDomain}, map[string]string{"/books/1": "200", "/prices": "404", "/admin": "403", "/x": "404"}},
		"this": {attempt{certificate: p.network.CA.Genuine(buyer, trustDomain)}, map[string]string{"/books/1": "200", "/prices": "404", "/admin": "403", "/x": "404"}},
	} {
		p.dial = p.stolen(p.config(t, test.client, web, 80))
		for path, want := range test.want {
			if got := p.status(t, "GET "+path+" HTTP/1.1\r\nHost: web\r\n"); got != want {
				t.Errorf("%s: %s = %s, want %s", name, path, got, want)
			}
		}
		if got := p.status(t, "GET /books/..%2Fadmin HTTP/1.1\r\nHost: web\r\n"); got != "400" {
			t.Errorf("%s: an ambiguous path has status %s, want 400", name, got)
		}
	}
}

// session is an open connection over HTTP/1.1 or TCP.
type session struct {
	net.Conn
	lines *bufio.Reader
}

func open(conn net.Conn) session { return session{conn, bufio.NewReader(conn)} }

func (s session) get() string {
	_, _ = io.WriteString(s, "GET /books/1 HTTP/1.1\r\nHost: web\r\n\r\n")
	answer, err := http.ReadResponse(s.lines, nil)
	if err != nil {
		return "closed"
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
	return answer.Status[:3]
}

// TestRootOfAPeerRotates replaces the root of a peer by a new one, over a time in which both are trusted. Open connections stay, also those whose root is gone.
func TestRootOfAPeerRotates(t *testing.T) {
	t.Parallel()
	p := newPeered(t)
	earlier, next := p.east, pki.New(t)
	config := func(authority *pki.Authority) *tls.Config {
		return p.config(t, attempt{certificate: authority.Genuine(buyer, eastDomain), clients: eastDomain}, web, 80)
	}
	database := func(authority *pki.Authority) string {
		return p.greet(t, p.config(t, attempt{certificate: authority.Genuine(buyer, eastDomain), clients: eastDomain}, database, 3306))
	}
	requests, bytes := open(p.stolen(config(earlier))(t)), p.openDatabase(t, earlier)
	for _, step := range []struct {
		name              string
		roots             []byte
		wantOld, wantNext bool
	}{
		{"the earlier root", earlier.RootPEM, true, false},
		{"both roots", append(append([]byte{}, earlier.RootPEM...), next.RootPEM...), true, true},
		{"the next root", next.RootPEM, false, true},
	} {
		s := p.serverScope()
		s.Peers[0].RootsPEM = step.roots
		p.server.Configure(t, s)
		for authority, want := range map[*pki.Authority]bool{earlier: step.wantOld, next: step.wantNext} {
			status, first := "closed", "closed"
			if want {
				status, first = "200", "welcome, echo hello"
			}
			// Another thread may not have the secret yet when the last listener is active.
			eventually.True(t, 10*time.Second, step.name+" for requests", func() bool { return askOnce(p.stolen(config(authority))(t)) == status })
			eventually.True(t, 10*time.Second, step.name+" for bytes", func() bool { return database(authority) == first })
		}
		if got := requests.get(); got != "200" {
			t.Errorf("%s: an open connection has status %s, want 200", step.name, got)
		}
	}
	time.Sleep(2 * p.network.Drain) // what Envoy drains is closed by now
	if got := requests.get(); got != "200" {
		t.Errorf("after the rotation an open connection has status %s, want 200", got)
	}
	_, _ = io.WriteString(bytes, "hello\n")
	if got, _ := bytes.lines.ReadString('\n'); got != "echo hello\n" {
		t.Errorf("after the rotation an open session gets %q", got)
	}
}

// openDatabase opens a session as the buyer of the peer east.
func (p *peered) openDatabase(t *testing.T, authority *pki.Authority) session {
	t.Helper()
	plain, err := p.stranger.Dial(t, p.server.IP.String()+":3306")
	if err != nil {
		t.Fatal(err)
	}
	s := open(tls.Client(plain, p.config(t, attempt{certificate: authority.Genuine(buyer, eastDomain), clients: eastDomain}, database, 3306)))
	if got, err := s.lines.ReadString('\n'); got != "welcome\n" {
		t.Fatalf("the session begins with %q, %v", got, err)
	}
	return s
}

// TestRevokedPeerLosesConnections takes the permission of one account of a peer away. Its session ends, and that of the same account of another peer stays.
func TestRevokedPeerLosesConnections(t *testing.T) {
	t.Parallel()
	p := newPeered(t)
	revoked := p.openDatabase(t, p.east)
	requests := open(p.stolen(p.config(t, attempt{certificate: p.east.Genuine(buyer, eastDomain), clients: eastDomain}, web, 80))(t))
	if got := requests.get(); got != "200" {
		t.Fatalf("before = %s, want 200", got)
	}
	s := p.serverScope()
	for i := range s.Inbound {
		if peers := s.Inbound[i].Peers; len(peers) > 0 {
			peers[0].Rules = authz.PeerRules{}
		}
	}
	p.server.Configure(t, s)
	if got := requests.get(); got == "200" {
		t.Error("an open connection still has status 200")
	}
	if err := revoked.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if got, err := revoked.lines.ReadString('\n'); err == nil || isTimeout(err) {
		t.Errorf("the session of the revoked account gets %q, %v, want its end", got, err)
	}
	if got := p.greet(t, p.config(t, attempt{certificate: p.west.Genuine(buyer, westDomain), clients: westDomain}, database, 3306)); got != "welcome, echo hello" {
		t.Errorf("the other peer gets %q", got)
	}
}
