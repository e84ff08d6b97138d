package pods_test

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/bootstrap"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
	"github.com/openservicemesh/osm-operator/internal/testing/procusage"
)

// TestSidecarShedsLoadBelowItsMemoryLimit begins more downloads than fit into the memory of the server's sidecar. It stays below its limit, answers scrapes
// meanwhile, and serves again after them. Of HTTP/1.1 it rejects connections, and of HTTP/2 it resets the largest streams.
func TestSidecarShedsLoadBelowItsMemoryLimit(t *testing.T) {
	t.Parallel()
	const limit = 64 << 20
	for kind, metric := range map[string]string{
		"HTTP1": `envoy_listener_downstream_cx_overload_reject{envoy_listener_address="0.0.0.0_15003"}`,
		"HTTP2": "envoy_envoy_overload_actions_reset_high_memory_stream_count{}",
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			n := pods.NewNetwork(t)
			config := n.Bootstrap("server")
			bootstrap.LimitSidecar(config, limit)
			s := &shop{network: n, client: n.Pod(t, "client"), server: n.PodFrom(t, "server", config), stranger: n.Bare(t)}
			s.serveDownloads(t)
			peak := s.exhaust(t, kind)
			t.Logf("the sidecar had %d KiB of %d", peak>>10, limit>>10)
			if peak > limit {
				t.Errorf("the sidecar had %d bytes, and its limit is %d", peak, limit)
			}
			s.serves(t)
			if count := s.metric(t, metric); count == 0 {
				t.Errorf("%s is 0 while the sidecar has no memory", metric)
			}
		})
	}
}

// exhaust begins 50 downloads, which fit into the memory, then 75 more in small parts, and ends them. It returns the most memory that the server's sidecar had, without the pages of its program.
func (s *shop) exhaust(t *testing.T, kind string) (peak uint64) {
	t.Helper()
	for _, count := range append([]int{50}, slices.Repeat([]int{5}, 15)...) {
		for _, reader := range downloads[kind](t, s, count) {
			defer reader.Close()
		}
		peak = max(peak, s.fill(t))
	}
	return peak
}

// fill waits until the memory of the server's sidecar has stopped to grow, because buffers fill slowly on a busy machine. It returns the memory.
func (s *shop) fill(t *testing.T) uint64 {
	t.Helper()
	const steady, interval = 512 << 10, 300 * time.Millisecond
	last := uint64(0)
	for range 20 {
		usage, err := procusage.Of(s.server.PID)
		if err != nil {
			t.Fatal(err)
		}
		if usage.Private < last+steady {
			break
		}
		last = usage.Private
		time.Sleep(interval)
	}
	return last
}

// serves waits until the Service answers.
func (s *shop) serves(t *testing.T) {
	t.Helper()
	eventually.True(t, 20*time.Second, "the sidecar serves again", func() bool {
		return s.client.Get(t, "http://"+webIP.String()+"/books/1").Status == http.StatusOK
	})
}

// metric returns the value of a time series of the server's sidecar, as anybody can scrape it.
func (s *shop) metric(t *testing.T, series string) int {
	t.Helper()
	answer := s.stranger.Get(t, "http://"+s.server.IP.String()+":15010/stats/prometheus")
	for line := range strings.Lines(answer.Body) {
		if value, found := strings.CutPrefix(line, series+" "); found {
			count, err := strconv.Atoi(strings.TrimSpace(value))
			if err != nil {
				t.Fatal(err)
			}
			return count
		}
	}
	t.Errorf("the metrics have no %s", series)
	return 0
}
