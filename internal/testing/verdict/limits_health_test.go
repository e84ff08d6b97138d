package verdict_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
)

// outliers checks that a failing pod is ejected after the configured number of errors.
func (s *testMesh) outliers(t *testing.T) {
	const errors = 4
	s.Reset(t, mesh(setting(shelf, func(u *upstream.Policy) {
		u.OutlierDetection = &upstream.OutlierDetection{ConsecutiveErrors: errors, BaseEjectionTime: time.Hour}
	})))
	s.servers[0].reset(1000)
	s.servers[1].reset()
	seen := map[int]int{}
	eventually.True(t, timeout, "the failing pod is ejected", func() bool {
		seen[s.get(t, shelfIP, "/fail").Status]++
		return strings.Contains(s.endpoint(t, shelf, s.servers[0]), "failed_outlier_check")
	})
	before := s.servers[0].count("/fail")
	if before < errors {
		t.Errorf("it was ejected after %d failures, want at least %d", before, errors)
	}
	if got := s.tally(t, shelfIP, "/fail", 30); got[200] != 30 || s.servers[0].count("/fail") != before {
		t.Errorf("afterwards: %v and %d more failures, want thirty times 200", got, s.servers[0].count("/fail")-before)
	}
}

// endpoint returns the health flags of a server in the client's sidecar, as an endpoint of a Service.
func (s *testMesh) endpoint(t *testing.T, service entity.Name, a *application) string {
	t.Helper()
	prefix := fmt.Sprintf("%s|%d::%s:%d::health_flags::", service, httpPort, a.pod.IP, httpPort)
	for line := range strings.Lines(s.client.Admin(t, "/clusters")) {
		if rest, ok := strings.CutPrefix(line, prefix); ok {
			return strings.TrimSpace(rest)
		}
	}
	return "unknown"
}

// health checks that a pod without a running sidecar gets no requests. It runs last, because it stops a sidecar.
func (s *testMesh) health(t *testing.T) {
	checks := &upstream.HealthCheck{Interval: 100 * time.Millisecond, Timeout: time.Second, UnhealthyThreshold: 2}
	// The servers need the Services before clients check their health.
	s.Reset(t, mesh())
	s.Reset(t, mesh(
		setting(shelf, func(u *upstream.Policy) { u.HealthCheck = checks }),
		setting(store, func(u *upstream.Policy) { u.HealthCheck = checks }),
	))
	for _, a := range s.servers {
		a.reset()
	}
	const enough = 10
	for _, cluster := range []string{"a/shelf|7001", "a/store|7002"} {
		// The first request makes the sidecar check at its full rate.
		_ = s.get(t, shelfIP, "/ok")
		first := s.echoes(t)
		if first == nil {
			t.Fatal("the TCP port does not work")
		}
		eventually.True(t, timeout, cluster+" is checked", func() bool { return s.statistic(t, s.client, "cluster."+cluster+".health_check.success") >= enough })
		if n := s.statistic(t, s.client, "cluster."+cluster+".health_check.failure"); n != 0 {
			t.Errorf("%d checks of %s failed", n, cluster)
		}
	}
	if n := s.servers[0].total() + s.servers[1].total(); n != 2 {
		t.Errorf("the applications received %d requests, want only the two of this test", n)
	}
	if n := s.servers[0].connections.Load(); n != 2 {
		t.Errorf("the TCP application received %d connections, want only the two of this test", n)
	}
	if got := s.get(t, shelfIP, "/healthz/osm"); got.Status != 200 || s.servers[0].count("/healthz/osm")+s.servers[1].count("/healthz/osm") != 1 {
		t.Errorf("the application's own path = %+v, want it to reach the application", got)
	}
	s.gone(t)
}

func (s *testMesh) gone(t *testing.T) {
	answer, err := s.servers[1].pod.NS.HTTP().Post("http://127.0.0.1:15000/quitquitquit", "", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	eventually.True(t, timeout, "the pod without a sidecar is ejected", func() bool {
		return strings.Contains(s.endpoint(t, shelf, s.servers[1]), "failed_active_hc")
	})
	// Envoy updates its workers at most once a second.
	eventually.True(t, timeout, "the ejected pod gets no requests", func() bool {
		before := s.statistic(t, s.client, "cluster.a/shelf|7001.upstream_rq_retry")
		if got := s.tally(t, shelfIP, "/ok", 30); got[200] != 30 {
			t.Errorf("after a sidecar was stopped: %v, want thirty times 200", got)
		}
		return s.statistic(t, s.client, "cluster.a/shelf|7001.upstream_rq_retry") == before
	})
}
