package pods_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/openservicemesh/osm-operator/internal/testing/envoytest"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
)

// TestUnusedSeriesLeave fills the place for the counters of a client, loses the requests beyond it, and counts them after the others were removed. The
// metrics say how many increments were lost.
func TestUnusedSeriesLeave(t *testing.T) {
	t.Parallel()
	for version, binary := range envoytest.Binaries(t) {
		t.Run(version, func(t *testing.T) { testUnusedSeriesLeave(t, binary) })
	}
}

func testUnusedSeriesLeave(t *testing.T, binary string) {
	t.Parallel()
	const limit = 3
	s := measuredPods(t, binary, evictEverySecond)
	s.sellBooks(t)
	s.limitCounters(t, limit)
	call := func(code int) {
		t.Helper()
		if answer := s.client.Get(t, fmt.Sprintf("http://%s/books/code/%d", webIP, code)); answer.Status != code {
			t.Fatalf("the answer is %v, want the status %d", answer, code)
		}
	}
	call(200)
	eventually.True(t, 10*time.Second, "a series with its histogram", func() bool { return countSeries(t, s.client, "request_") > 10 })
	eventually.True(t, 20*time.Second, "they leave", func() bool { return countSeries(t, s.client, "request_") == 0 })
	if lost := lostIncrements(t, s); lost != 0 {
		t.Errorf("%d increments were lost below the limit", lost)
	}

	fill := func() bool {
		for code := 200; code < 200+limit+2; code++ {
			call(code)
		}
		return lostIncrements(t, s) > 0
	}
	eventually.True(t, 10*time.Second, "increments beyond the limit are lost", fill)
	if counters := countSeries(t, s.client, "request_total"); counters > limit {
		t.Errorf("%d series, want at most %d", counters, limit)
	}
	eventually.True(t, 20*time.Second, "the place is free again", func() bool { return countSeries(t, s.client, "request_") == 0 })
	eventually.True(t, 10*time.Second, "another code has the place", func() bool {
		call(204)
		return strings.Contains(s.client.Admin(t, "/stats/prometheus"), `response_code="204"`)
	})
}

// TestTakeoverWithEviction has an Envoy that takes over from another and imports its statistics, while both remove unused series. Requests of both are one
// series, which does not leave before the earlier Envoy ends.
func TestTakeoverWithEviction(t *testing.T) {
	t.Parallel()
	s := measuredPods(t, envoytest.Binary(t), evictEverySecond)
	s.sellBooks(t)
	call := func() bool { return s.client.Get(t, "http://"+webIP.String()+"/books/1").Status == http.StatusOK }
	eventually.True(t, 10*time.Second, "a series", func() bool { return call() && countSeries(t, s.client, "request_total{") == 1 })
	config := bootstrapWithStats(t, s.network, "client")
	evictEverySecond(config)
	s.network.Env = workloadOf("Deployment", "buyer")
	s.client.HandOver(t, config)
	for start := time.Now(); time.Since(start) < 4*time.Second; time.Sleep(50 * time.Millisecond) {
		if !call() {
			t.Fatal("a request fails")
		}
	}
	time.Sleep(4 * time.Second) // more than two intervals
	if !call() {
		t.Fatal("a request fails after a pause")
	}
	eventually.True(t, 10*time.Second, "one series", func() bool { return countSeries(t, s.client, "request_total{") == 1 })
}

// evictEverySecond removes the statistics of an edited bootstrap after one to two seconds without an increment.
func evictEverySecond(config *bootstrapv3.Bootstrap) {
	config.StatsFlushInterval = durationpb.New(time.Second)
	config.StatsEviction = &bootstrapv3.Bootstrap_StatsEvictionInterval{StatsEvictionInterval: durationpb.New(time.Second)}
}

var overflow = regexp.MustCompile(`(?m)^envoy_server_stats_overflow_counter\{.*\} (\d+)$`)

// lostIncrements is how many increments of counters the client's sidecar has lost because of limits.
func lostIncrements(t *testing.T, s *shop) int {
	t.Helper()
	found := overflow.FindStringSubmatch(s.client.Admin(t, "/stats/prometheus"))
	if found == nil {
		t.Fatal("the metrics do not have envoy_server_stats_overflow_counter")
	}
	number, err := strconv.Atoi(found[1])
	if err != nil {
		t.Fatal(err)
	}
	return number
}
