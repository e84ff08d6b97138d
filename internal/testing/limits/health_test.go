package limits

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/catalog"
)

// outliers: a pod that always fails is asked as often as it takes to notice, and no more.
func (s *town) outliers(t *testing.T) {
	const errors = 4
	s.Reset(t, mesh(setting(shelf, func(u *catalog.UpstreamTrafficSetting) {
		u.OutlierDetection = &catalog.OutlierDetection{ConsecutiveErrors: errors, BaseEjectionTime: time.Hour}
	})))
	s.servers[0].reset(1000)
	s.servers[1].reset()
	seen := map[int]int{}
	eventually(t, "the pod that fails is left out", func() bool {
		seen[s.get(t, shelfIP, "/fail").Status]++
		return strings.Contains(s.endpoint(t, shelf, s.servers[0]), "failed_outlier_check")
	})
	before := s.servers[0].count("/fail")
	if before < errors {
		t.Errorf("it was left out after %d failures, want at least %d", before, errors)
	}
	if got := s.tally(t, shelfIP, "/fail", 30); got[200] != 30 || s.servers[0].count("/fail") != before {
		t.Errorf("afterwards: %v and %d more failures, want thirty times 200", got, s.servers[0].count("/fail")-before)
	}
}

// endpoint is what the client's sidecar says of the health of a server as an endpoint of a Service.
func (s *town) endpoint(t *testing.T, service catalog.Name, a *application) string {
	t.Helper()
	prefix := fmt.Sprintf("%s|%d::%s:%d::health_flags::", service, httpPort, a.pod.IP, httpPort)
	for line := range strings.Lines(s.client.Admin(t, "/clusters")) {
		if rest, ok := strings.CutPrefix(line, prefix); ok {
			return strings.TrimSpace(rest)
		}
	}
	return "unknown"
}

// health: a pod whose sidecar is gone gets no requests. It is the last measurement, since the sidecar does not come back.
func (s *town) health(t *testing.T) {
	checks := &catalog.HealthCheck{Interval: 100 * time.Millisecond, Timeout: time.Second, UnhealthyThreshold: 2}
	// The servers shall know the Services before their clients check them.
	s.Reset(t, mesh())
	s.Reset(t, mesh(
		setting(shelf, func(u *catalog.UpstreamTrafficSetting) { u.HealthCheck = checks }),
		setting(store, func(u *catalog.UpstreamTrafficSetting) { u.HealthCheck = checks }),
	))
	for _, a := range s.servers {
		a.reset()
	}
	const enough = 10
	for _, cluster := range []string{"a/shelf|7001", "a/store|7002"} {
		// The first request makes the sidecar check as often as it should.
		_ = s.get(t, shelfIP, "/ok")
		first := s.echoes(t)
		if first == nil {
			t.Fatal("the TCP port does not work")
		}
		eventually(t, cluster+" is checked", func() bool { return s.statistic(t, s.client, "cluster."+cluster+".health_check.success") >= enough })
		if n := s.statistic(t, s.client, "cluster."+cluster+".health_check.failure"); n != 0 {
			t.Errorf("%d checks of %s failed", n, cluster)
		}
	}
	if n := s.servers[0].total() + s.servers[1].total(); n != 2 {
		t.Errorf("the applications were asked %d times, want only the two requests of this test", n)
	}
	if n := s.servers[0].connections.Load(); n != 2 {
		t.Errorf("the TCP application has seen %d connections, want only the two of this test", n)
	}
	if got := s.get(t, shelfIP, "/healthz/osm"); got.Status != 200 || s.servers[0].count("/healthz/osm")+s.servers[1].count("/healthz/osm") != 1 {
		t.Errorf("the application's own path = %+v, want it to be asked", got)
	}
	s.gone(t)
}

func (s *town) gone(t *testing.T) {
	answer, err := s.servers[1].pod.NS.HTTP().Post("http://127.0.0.1:15000/quitquitquit", "", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	eventually(t, "the pod without a sidecar is left out", func() bool {
		return strings.Contains(s.endpoint(t, shelf, s.servers[1]), "failed_active_hc")
	})
	// Envoy tells its workers at most once a second.
	eventually(t, "no request goes to the pod that is gone", func() bool {
		before := s.statistic(t, s.client, "cluster.a/shelf|7001.upstream_rq_retry")
		if got := s.tally(t, shelfIP, "/ok", 30); got[200] != 30 {
			t.Errorf("after a sidecar is gone: %v, want thirty times 200", got)
		}
		return s.statistic(t, s.client, "cluster.a/shelf|7001.upstream_rq_retry") == before
	})
}
