package verdict_test

import (
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// bounded applies a mesh with connection limits for all Services.
func (s *testMesh) bounded(t *testing.T, limits upstream.ConnectionSettings) {
	t.Helper()
	var entries []catalog.Entry
	for _, service := range []entity.Name{books, shelf, store} {
		entries = append(entries, setting(service, func(u *upstream.Policy) { u.Connections = limits }))
	}
	s.Reset(t, mesh(entries...))
	for _, a := range s.servers {
		a.reset()
	}
}

func (s *testMesh) maxConnections(t *testing.T) {
	s.bounded(t, upstream.ConnectionSettings{MaxConnections: number(2)})
	first, second := s.echoes(t), s.echoes(t)
	if first == nil || second == nil {
		t.Fatal("two connections within a limit of two do not work")
	}
	if s.echoes(t) != nil {
		t.Error("a third connection works, want it closed")
	}
	if !echo(first) || !echo(second) {
		t.Error("open connections were closed")
	}
	_ = first.Close()
	eventually.True(t, timeout, "a new connection replaces a closed one", func() bool { return s.echoes(t) != nil })
}

// maxPending allows one connection and one pending request.
func (s *testMesh) maxPending(t *testing.T) {
	s.bounded(t, upstream.ConnectionSettings{MaxConnections: number(1), MaxPendingRequests: number(1)})
	if got := s.tally(t, booksIP, "/ok", 20); got[200] != 20 {
		t.Errorf("one request after the other: %v, want none to fail", got)
	}
	holds := s.hold(t, booksIP)
	waits := make(chan pods.Answer, 1)
	go func() { waits <- s.get(t, booksIP, "/waits") }()
	eventually.True(t, timeout, "a request waits", func() bool {
		return s.statistic(t, s.client, "cluster.a/books|7001.upstream_rq_pending_active") == 1
	})
	if got := s.get(t, booksIP, "/ok"); got.Status != 503 || got.Header.Get("x-envoy-overloaded") != "true" {
		t.Errorf("one more = %+v, want 503 because of overload", got)
	}
	s.servers[0].release()
	if a, b := <-holds, <-waits; a.Status != 200 || b.Status != 200 {
		t.Errorf("the held and the pending request = %+v, %+v, want 200", a, b)
	}
}

func (s *testMesh) maxRequests(t *testing.T) {
	s.bounded(t, upstream.ConnectionSettings{MaxRequests: number(2)})
	first, second := s.hold(t, booksIP), s.hold(t, booksIP)
	got := s.get(t, booksIP, "/ok")
	if got.Status != 503 || got.Header.Get("x-envoy-overloaded") != "true" {
		t.Errorf("a third concurrent request = %+v, want 503 because of overload", got)
	}
	if n := s.servers[0].count("/ok"); n != 0 {
		t.Errorf("the third request reached the application %d times", n)
	}
	s.servers[0].release()
	if a, b := <-first, <-second; a.Status != 200 || b.Status != 200 {
		t.Errorf("the first two = %+v, %+v, want 200", a, b)
	}
	eventually.True(t, timeout, "a request is accepted again", func() bool { return s.get(t, booksIP, "/ok").Status == 200 })
}
