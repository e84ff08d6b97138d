package verdict_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/retry"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
	"github.com/openservicemesh/osm-operator/internal/testing/verdict"
)

// ownPort is the port of the harness's application in each pod.
const ownPort = 8080

// drained exceeds the drain time of the sidecars: after it, a connection of a drained listener is closed.
const drained = verdict.DrainTime + time.Second

// The wait for connections that an edit must not close is longer than the drain time. Otherwise a drained listener is not noticed.
func TestEditsOutlastTheDrainTime(t *testing.T) {
	if drained <= verdict.DrainTime {
		t.Errorf("the test waits %s, and the drain time is %s", drained, verdict.DrainTime)
	}
}

// editOf changes all settings that do not affect a listener; n makes each edit different.
func editOf(service entity.Name, n uint32) *upstream.Policy {
	return setting(service, func(u *upstream.Policy) {
		requests, connections := answered(upstream.RateLimit{Tokens: 1000000 + n, Interval: time.Hour}, 0), hourly(1000000+n, 0)
		u.Connections = upstream.ConnectionSettings{
			MaxConnections: number(1000 + n), MaxPendingRequests: number(1000 + n), MaxRequests: number(1000 + n), MaxRetries: number(1000 + n),
			ConnectTimeout: time.Duration(5+n) * time.Second, RequestTimeout: time.Duration(100+n) * time.Second,
			HTTPIdleTimeout: time.Duration(100+n) * time.Second,
		}
		u.ConnectionRate, u.RequestRate = &connections, &requests
		u.Routes = []upstream.RouteRateLimit{{Path: ".*", Limit: requests}}
		u.OutlierDetection = &upstream.OutlierDetection{ConsecutiveErrors: 100 + n}
		u.HealthCheck = &upstream.HealthCheck{Interval: time.Duration(5+n) * time.Second}
	})
}

// edits checks that edits do not affect open connections and running requests.
func (s *testMesh) edits(t *testing.T) {
	s.Reset(t, mesh())
	for _, a := range s.servers {
		a.reset()
	}
	s.awaitDrained(t)
	session, running := s.echoes(t), s.hold(t, booksIP)
	if session == nil {
		t.Fatal("the TCP port does not work")
	}
	listeners := s.listenerChanges(t)
	for n := range uint32(3) {
		s.Reset(t, mesh(editOf(books, n), editOf(store, n), retryOf(books, retry.Settings{On: "5xx", Count: n + 1})))
	}
	s.Reset(t, mesh())
	if after := s.listenerChanges(t); after != listeners {
		t.Errorf("listeners changed: %s, before %s", after, listeners)
	}
	deadline := time.Now().Add(drained)
	for time.Now().Before(deadline) {
		if !echo(session) {
			t.Fatal("an open connection was closed by an edit")
		}
	}
	s.servers[0].release()
	if got := <-running; got.Status != 200 {
		t.Errorf("a running request = %+v, want 200", got)
	}
}

// awaitDrained waits until no listener has been draining for some time. The main thread acknowledges a change before its workers apply it, and a
// connection in between begins on a listener that drains afterwards.
func (s *testMesh) awaitDrained(t *testing.T) {
	t.Helper()
	const enough = 500 * time.Millisecond
	last := time.Now()
	eventually.True(t, timeout, "the listeners of earlier tests have drained", func() bool {
		if s.draining(t) > 0 {
			last = time.Now()
		}
		return time.Since(last) > enough
	})
}

// draining returns the number of listeners and filter chains that drain.
func (s *testMesh) draining(t *testing.T) int {
	t.Helper()
	total := 0
	for i := range 4 {
		for _, name := range []string{"total_listeners_draining", "total_filter_chains_draining"} {
			total += s.statistic(t, s.Pod(i), "listener_manager."+name)
		}
	}
	return total
}

// listenerChanges returns the listener update counters of the sidecars.
func (s *testMesh) listenerChanges(t *testing.T) string {
	t.Helper()
	text := ""
	for i := range 4 {
		for _, name := range []string{"listener_added", "listener_modified", "listener_removed", "listener_in_place_updated"} {
			text += fmt.Sprintf("%d ", s.statistic(t, s.Pod(i), "listener_manager."+name))
		}
	}
	return text
}

// flips adds and removes settings under load without a failed request. It uses the Services and applications of the harness.
func (s *testMesh) flips(t *testing.T) {
	one, both := Service("a", "s1", "0", booksIP.String(), 80, inventory.ProtocolHTTP), Service("a", "s2", "", shelfIP.String(), 80, inventory.ProtocolHTTP)
	one.Ports[0].TargetPort, both.Ports[0].TargetPort = ownPort, ownPort
	w := mesh(one, both)
	for _, service := range []entity.Name{books, shelf, store} {
		delete(w, entity.Ref{Kind: entity.KindService, Name: service})
	}
	both.Selector = map[string]string{role: seller.Name}
	s.Reset(t, w)
	var requests []verdict.Request
	for _, ip := range []netip.Addr{booksIP, shelfIP} {
		requests = append(requests, verdict.Request{
			Pod: 3, To: netip.AddrPortFrom(ip, 80), Method: "GET", Path: "/", Headers: []authz.Header{{Name: ":authority", Value: "shop"}},
		})
	}
	const rounds = 6
	for n := range uint32(rounds) {
		retry := retryOf(both.Name, retry.Settings{On: "5xx", Count: n + 1, PerTryTimeout: time.Minute})
		s.Step(t, []catalog.Change{catalog.Set(editOf(one.Name, n)), catalog.Set(editOf(both.Name, n))}, requests)
		s.Step(t, []catalog.Change{catalog.Set(retry)}, requests)
		s.Step(t, []catalog.Change{{Ref: editOf(one.Name, n).Ref()}, {Ref: editOf(both.Name, n).Ref()}, {Ref: retry.Ref()}}, requests)
	}
}
