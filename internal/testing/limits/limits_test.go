package limits

import (
	"io"
	"maps"
	"net"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestLimits measures each limit by what it lets through.
func TestLimits(t *testing.T) {
	s := newTown(t)
	t.Run("requests", s.requestRate)
	t.Run("requests of all pods", s.ratePerPod)
	t.Run("requests of a route", s.routeRate)
	t.Run("forbidden requests", s.forbiddenRequests)
	t.Run("connections", s.connectionRate)
	t.Run("TCP connections at a time", s.maxConnections)
	t.Run("HTTP connections and those that wait", s.maxPending)
	t.Run("requests at a time", s.maxRequests)
	t.Run("requests of a connection", s.requestsPerConnection)
	t.Run("idle HTTP connections", s.idleHTTP)
	t.Run("silent TCP connections", s.idleTCP)
	t.Run("TLS", s.tls)
	t.Run("connections that end", s.connectionsThatEnd)
	t.Run("retries", s.retries)
	t.Run("what is not repeated", s.notRepeated)
	t.Run("retries of gRPC", s.grpcRetries)
	t.Run("time of each try", s.perTryTimeout)
	t.Run("time of a request", s.requestTimeout)
	t.Run("a split", s.split)
	t.Run("outliers", s.outliers)
	t.Run("edits", s.edits)
	t.Run("flips", s.flips)
	t.Run("health", s.health)
}

func (s *town) requestRate(t *testing.T) {
	limit := answered(hourly(3, 2), 503)
	s.Reset(t, mesh(setting(books, func(u *catalog.UpstreamTrafficSetting) { u.RequestRate = &limit })))
	s.servers[0].reset()
	if got, want := s.tally(t, booksIP, "/ok", 12), map[int]int{200: 5, 503: 7}; !maps.Equal(got, want) {
		t.Errorf("3 an hour and 2 more: %v, want %v", got, want)
	}
	if n := s.servers[0].count("/ok"); n != 5 {
		t.Errorf("the application was asked %d times, want 5", n)
	}
	if got := s.get(t, booksIP, "/ok"); got.Header.Get("x-limited") != "yes" {
		t.Errorf("beyond the limit: %+v, want the header of the limit", got)
	}
	if got := s.get(t, shelfIP, "/ok"); got.Status != 200 {
		t.Errorf("another Service of the same pod: %+v, want 200", got)
	}
}

// ratePerPod: each sidecar of a server has a bucket of its own.
func (s *town) ratePerPod(t *testing.T) {
	limit := answered(hourly(2, 0), 0)
	s.Reset(t, mesh(setting(shelf, func(u *catalog.UpstreamTrafficSetting) { u.RequestRate = &limit })))
	if got, want := s.tally(t, shelfIP, "/ok", 40), map[int]int{200: 4, 429: 36}; !maps.Equal(got, want) {
		t.Errorf("2 an hour at each of two pods: %v, want %v", got, want)
	}
}

func (s *town) routeRate(t *testing.T) {
	host := answered(hourly(2, 0), 0)
	strict := setting(books, func(u *catalog.UpstreamTrafficSetting) {
		u.RequestRate = &host
		u.Routes = []catalog.RouteRateLimit{{Path: "/fa.*", Limit: answered(hourly(4, 0), 0)}}
	})
	s.Reset(t, mesh(append(granted("/fa.*", "/ok"), strict)...))
	for _, want := range []struct {
		path string
		pass int
	}{{"/fail", 4}, {"/ok", 2}} {
		got := s.tally(t, booksIP, want.path, 8)
		if got[200] != want.pass || got[429] != 8-want.pass {
			t.Errorf("%s: %v, want %d of 8: the limit of a route takes the place of that of its host", want.path, got, want.pass)
		}
	}
}

// granted lets the buyer send requests to paths, each of them a route.
func granted(paths ...string) []catalog.Entry {
	return []catalog.Entry{
		&catalog.Settings{RetryPolicies: true}, Group("a", "group", paths...),
		Target("buy", seller, []catalog.TargetRule{HTTP("group")}, buyer),
	}
}

// forbiddenRequests: what is forbidden does not use up what others may send.
func (s *town) forbiddenRequests(t *testing.T) {
	limit := answered(hourly(3, 0), 0)
	entries := append(granted("/ok"), Group("a", "secret", "/secret"), Target("admin", seller, []catalog.TargetRule{HTTP("secret")}, SA("a", "two")))
	s.Reset(t, mesh(append(entries, setting(books, func(u *catalog.UpstreamTrafficSetting) { u.RequestRate = &limit }))...))
	if got := s.tally(t, booksIP, "/secret", 10); got[403] != 10 {
		t.Errorf("a path of others: %v, want ten times 403", got)
	}
	if got := s.tally(t, booksIP, "/nowhere", 10); got[404] != 10 {
		t.Errorf("a path of nobody: %v, want ten times 404", got)
	}
	if got := s.tally(t, booksIP, "/ok", 5); got[200] != 3 || got[429] != 2 {
		t.Errorf("after requests that were forbidden: %v, want 3 to pass", got)
	}
}

func (s *town) connectionRate(t *testing.T) {
	rate := hourly(3, 1)
	s.Reset(t, mesh(setting(store, func(u *catalog.UpstreamTrafficSetting) { u.ConnectionRate = &rate })))
	s.servers[0].reset()
	open := 0
	for range 9 {
		if conn := s.echoes(t); conn != nil {
			open++
		}
	}
	if n := s.servers[0].connections.Load(); open != 4 || n != 4 {
		t.Errorf("3 connections an hour and 1 more: %d work, the application has seen %d, want 4", open, n)
	}
}

// echoes is a connection to the TCP port that works, or nil when it was closed.
func (s *town) echoes(t *testing.T) net.Conn {
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
