package verdict_test

import (
	"io"
	"maps"
	"net"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestLimits measures the requests and connections that each limit allows.
func TestLimits(t *testing.T) {
	s := newTestMesh(t)
	t.Run("requests", s.requestRate)
	t.Run("requests of all pods", s.ratePerPod)
	t.Run("requests of a route", s.routeRate)
	t.Run("forbidden requests", s.forbiddenRequests)
	t.Run("connections", s.connectionRate)
	t.Run("concurrent TCP connections", s.maxConnections)
	t.Run("HTTP connections and pending requests", s.maxPending)
	t.Run("concurrent requests", s.maxRequests)
	t.Run("requests of a connection", s.requestsPerConnection)
	t.Run("idle HTTP connections", s.idleHTTP)
	t.Run("silent TCP connections", s.idleTCP)
	t.Run("TLS", s.tls)
	t.Run("closed connections", s.connectionsThatEnd)
	t.Run("applications with a short keep-alive", s.applicationsWithShortKeepAlive)
	t.Run("retries", s.retries)
	t.Run("requests that are not retried", s.notRepeated)
	t.Run("retries of gRPC", s.grpcRetries)
	t.Run("per-try timeout", s.perTryTimeout)
	t.Run("request timeout", s.requestTimeout)
	t.Run("a split", s.split)
	t.Run("outliers", s.outliers)
	t.Run("edits", s.edits)
	t.Run("flips", s.flips)
	t.Run("health", s.health)
}

func (s *testMesh) requestRate(t *testing.T) {
	limit := answered(hourly(3, 2), 503)
	s.Reset(t, mesh(setting(books, func(u *upstream.Policy) { u.RequestRate = &limit })))
	s.servers[0].reset()
	if got, want := s.tally(t, booksIP, "/ok", 12), map[int]int{200: 5, 503: 7}; !maps.Equal(got, want) {
		t.Errorf("3 an hour and 2 more: %v, want %v", got, want)
	}
	if n := s.servers[0].count("/ok"); n != 5 {
		t.Errorf("the application received %d requests, want 5", n)
	}
	if got := s.get(t, booksIP, "/ok"); got.Header.Get("x-limited") != "yes" {
		t.Errorf("beyond the limit: %+v, want the header of the limit", got)
	}
	if got := s.get(t, shelfIP, "/ok"); got.Status != 200 {
		t.Errorf("another Service of the same pod: %+v, want 200", got)
	}
}

// ratePerPod checks that each server's sidecar has its own token bucket.
func (s *testMesh) ratePerPod(t *testing.T) {
	limit := answered(hourly(2, 0), 0)
	s.Reset(t, mesh(setting(shelf, func(u *upstream.Policy) { u.RequestRate = &limit })))
	if got, want := s.tally(t, shelfIP, "/ok", 40), map[int]int{200: 4, 429: 36}; !maps.Equal(got, want) {
		t.Errorf("2 an hour at each of two pods: %v, want %v", got, want)
	}
}

func (s *testMesh) routeRate(t *testing.T) {
	host := answered(hourly(2, 0), 0)
	strict := setting(books, func(u *upstream.Policy) {
		u.RequestRate = &host
		u.Routes = []upstream.RouteRateLimit{{Path: "/fa.*", Limit: answered(hourly(4, 0), 0)}}
	})
	s.Reset(t, mesh(append(granted("/fa.*", "/ok"), strict)...))
	for _, want := range []struct {
		path string
		pass int
	}{{"/fail", 4}, {"/ok", 2}} {
		got := s.tally(t, booksIP, want.path, 8)
		if got[200] != want.pass || got[429] != 8-want.pass {
			t.Errorf("%s: %v, want %d of 8: the limit of a route replaces that of its host", want.path, got, want.pass)
		}
	}
}

// granted allows the buyer's requests to paths, with a route for each.
func granted(paths ...string) []catalog.Entry {
	return []catalog.Entry{
		&catalog.Settings{RetryPolicies: true}, Group("a", "group", paths...),
		Target("buy", seller, []catalog.TargetRule{HTTP("group")}, buyer),
	}
}

// forbiddenRequests checks that denied requests do not count for rate limits.
func (s *testMesh) forbiddenRequests(t *testing.T) {
	limit := answered(hourly(3, 0), 0)
	entries := append(granted("/ok"), Group("a", "secret", "/secret"), Target("admin", seller, []catalog.TargetRule{HTTP("secret")}, SA("a", "two")))
	s.Reset(t, mesh(append(entries, setting(books, func(u *upstream.Policy) { u.RequestRate = &limit }))...))
	if got := s.tally(t, booksIP, "/secret", 10); got[403] != 10 {
		t.Errorf("a path granted to another client: %v, want ten times 403", got)
	}
	if got := s.tally(t, booksIP, "/nowhere", 10); got[404] != 10 {
		t.Errorf("a path that is not granted: %v, want ten times 404", got)
	}
	if got := s.tally(t, booksIP, "/ok", 5); got[200] != 3 || got[429] != 2 {
		t.Errorf("after denied requests: %v, want 3 to pass", got)
	}
}

func (s *testMesh) connectionRate(t *testing.T) {
	rate := hourly(3, 1)
	s.Reset(t, mesh(setting(store, func(u *upstream.Policy) { u.ConnectionRate = &rate })))
	s.servers[0].reset()
	open := 0
	for range 9 {
		if conn := s.echoes(t); conn != nil {
			open++
		}
	}
	if n := s.servers[0].connections.Load(); open != 4 || n != 4 {
		t.Errorf("3 connections an hour and 1 more: %d work, the application received %d, want 4", open, n)
	}
}

// echoes returns a working connection to the TCP port, or nil if it was closed.
func (s *testMesh) echoes(t *testing.T) net.Conn {
	t.Helper()
	conn, err := s.client.Dial(t, storeIP.String()+":80")
	if err != nil {
		t.Fatal(err)
	}
	if !echo(conn) {
		return nil
	}
	return conn
}

func echo(conn net.Conn) bool {
	if _, err := io.WriteString(conn, "hello"); err != nil {
		return false
	}
	_, err := io.ReadFull(conn, make([]byte, len("hello")))
	return err == nil
}
