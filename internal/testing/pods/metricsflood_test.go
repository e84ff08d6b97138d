package pods_test

import (
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// TestScrapesOfSidecarsAreLimited has a stranger that sends expensive queries, many scrapes and many connections to a real sidecar.
func TestScrapesOfSidecarsAreLimited(t *testing.T) {
	t.Parallel()
	n := pods.NewNetwork(t)
	s := &shop{network: n, client: n.Pod(t, "client"), server: n.Pod(t, "server"), stranger: n.Bare(t)}
	s.server.ServeHTTP(t, 8080, http.HandlerFunc(describe))
	s.configure(t, s.clientScope(), s.serverScope())
	address := nstest.Address(s.server.IP.String(), names.PrometheusPort)
	code := func(target string) int {
		answer, err := s.stranger.NS.HTTP().Get("http://" + address + target)
		if err != nil {
			return 0
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
		return answer.StatusCode
	}
	for target, want := range map[string]int{
		"/stats/prometheus": http.StatusOK, "/stats/prometheus?usedonly": http.StatusOK, "/stats/prometheus?usedonly=": http.StatusOK,
		"/stats/prometheus?filter=.*": http.StatusNotFound, "/stats/prometheus?usedonly&filter=.*": http.StatusNotFound, "/stats": http.StatusNotFound,
	} {
		eventually.True(t, 10*time.Second, target, func() bool { return code(target) == want })
	}
	limited := 0
	for range 40 {
		if code("/stats/prometheus") == http.StatusTooManyRequests {
			limited++
		}
	}
	if limited < 20 {
		t.Errorf("%d of 40 scrapes at once were rejected", limited)
	}
	closed := 0
	for range 300 {
		conn, err := s.stranger.Dial(t, address)
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); errors.Is(err, io.EOF) {
			closed++
		}
	}
	if closed < 300-256 {
		t.Errorf("%d of 300 connections that say nothing were closed, want at least 44", closed)
	}
	if answer := s.client.Get(t, "http://"+webIP.String()+"/books/1"); answer.Err != nil || answer.Status != http.StatusOK {
		t.Errorf("meanwhile, a client of the application gets %d %v", answer.Status, answer.Err)
	}
	eventually.True(t, 20*time.Second, "silent connections end, and scrapes continue", func() bool { return code("/stats/prometheus") == http.StatusOK })
}
