package pods_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// tally counts requests by the status of their responses.
type tally struct {
	mu       sync.Mutex
	byStatus map[string]int
}

func (c *tally) add(status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byStatus[strconv.Itoa(status)]++
}

// TestMetricsCountEachRequest compares the counters of sidecars after the end of a load with what the applications have counted: those of the client by its
// responses, and those of each server by its own, with HTTP/1.1 and HTTP/2. A pod whose application has stopped makes the client repeat requests, which count once.
func TestMetricsCountEachRequest(t *testing.T) {
	t.Parallel()
	const requests, clients = 400, 8
	s := newShop(t)
	servers := map[*pods.Pod]*tally{}
	for _, name := range []string{"first", "second"} {
		pod, counted := s.network.Pod(t, name), &tally{byStatus: map[string]int{}}
		pod.ServeHTTP(t, 8081, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			status, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
			counted.add(status)
			w.WriteHeader(status)
		}))
		servers[pod] = counted
	}
	stopped := s.network.Pod(t, "stopped")
	client := leafClient(s)
	endpoints := endpointsAt(client, stopped.IP)
	for pod := range servers {
		endpoints[0].Addresses = append(endpoints[0].Addresses, netip.AddrPortFrom(pod.IP, 8081))
	}
	for _, pod := range append([]*pods.Pod{stopped}, keysOf(servers)...) {
		pod.Configure(t, s.serverScope())
	}
	s.client.Configure(t, client, endpoints...)
	received := &tally{byStatus: map[string]int{}}
	var load sync.WaitGroup
	for range clients {
		load.Go(func() {
			for i := range requests / clients {
				url := fmt.Sprintf("http://10.96.0.9/%d", []int{200, 200, 404, 500, 204}[i%5])
				call := func() pods.Answer { return s.client.Get(t, url) }
				if i%2 == 0 {
					call = func() pods.Answer { return s.client.GetHTTP2(t, url) }
				}
				received.add(call().Status)
			}
		})
	}
	load.Wait()
	if len(received.byStatus) != 4 {
		t.Fatalf("the client received %v", received.byStatus)
	}
	requireCounts(t, s.client, "envoy_osm_request_total", received)
	for pod, counted := range servers {
		if len(counted.byStatus) == 0 {
			t.Error("a server received nothing")
		}
		requireCounts(t, pod, "envoy_osm_inbound_request_total", counted)
	}
}

func keysOf(servers map[*pods.Pod]*tally) (list []*pods.Pod) {
	for pod := range servers {
		list = append(list, pod)
	}
	return list
}

// requireCounts waits until the counters of a sidecar equal a tally.
func requireCounts(t *testing.T, pod *pods.Pod, metric string, want *tally) {
	t.Helper()
	var got map[string]int
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s of a sidecar is %v, and its application has counted %v", metric, got, want.byStatus)
		}
	})
	eventually.True(t, 10*time.Second, metric+" equals what the application has counted", func() bool {
		got = countsByStatus(t, pod, metric)
		return maps.Equal(got, want.byStatus)
	})
}

// countsByStatus sums a counter of a sidecar by the status of responses.
func countsByStatus(t *testing.T, pod *pods.Pod, metric string) map[string]int {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(pod.Admin(t, "/stats/prometheus")))
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, m := range families[metric].GetMetric() {
		for _, label := range m.GetLabel() {
			if label.GetName() == "response_code" {
				counts[label.GetValue()] += int(m.GetCounter().GetValue())
			}
		}
	}
	return counts
}
