package pods_test

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/bootstrap"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/prometheus"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
	"github.com/openservicemesh/osm-operator/internal/testing/promtest"
)

// TestPrometheus_ErrorRate runs the queries of the upgrade gate on a real Prometheus that scrapes real sidecars.
func TestPrometheus_ErrorRate(t *testing.T) {
	t.Parallel()
	n := pods.NewNetwork(t)
	s := &shop{network: n, client: podWithStats(t, n, "client"), server: podWithStats(t, n, "server"), stranger: n.Bare(t)}
	var failing atomic.Bool
	s.server.ServeHTTP(t, 8080, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if failing.Load() && r.URL.Path == "/books/2" {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	s.configure(t, s.clientScope(), s.serverScope())
	target := prometheus.Target{Address: promtest.Start(t, s.stranger.NS,
		nstest.Address(s.client.IP.String(), names.PrometheusPort), nstest.Address(s.server.IP.String(), names.PrometheusPort))}
	client := prometheus.New(s.stranger.NS.Dial)
	failed := func(at time.Time, namespaces ...string) float64 {
		rate, err := client.ErrorRate(t.Context(), target, prometheus.Query(namespaces), at)
		if err != nil {
			if !errors.Is(err, prometheus.ErrNoData) {
				t.Fatal(err)
			}
			return -1
		}
		return rate
	}
	call := func() {
		for _, path := range []string{"/books/1", "/books/2"} {
			if answer := s.client.Get(t, "http://"+webIP.String()+path); answer.Err != nil {
				t.Fatal(answer.Err)
			}
		}
	}

	if _, err := client.ErrorRate(t.Context(), target, prometheus.Query([]string{"shop"}), time.Now().Add(-time.Hour)); !errors.Is(err, prometheus.ErrNoData) {
		t.Errorf("before anything was scraped: %v, want no data", err)
	}
	eventually.True(t, 10*time.Second, "the error rate of idle sidecars is zero", func() bool { return failed(time.Now(), "shop") == 0 })
	eventually.True(t, 10*time.Second, "the error rate of successful requests is zero", func() bool { call(); return failed(time.Now(), "shop") == 0 })
	before := time.Now()
	failing.Store(true)
	eventually.True(t, 20*time.Second, "the error rate includes failed requests", func() bool {
		call()
		rate := failed(time.Now(), "shop")
		return rate > 0.1 && rate < 0.6
	})
	if rate := failed(before, "shop"); rate != 0 {
		t.Errorf("before they failed, %v of the requests failed", rate)
	}
	if rate := failed(time.Now(), "elsewhere"); rate != 0 {
		t.Errorf("%v of the requests to another namespace failed, and there were none", rate)
	}
	if rate := failed(time.Now()); rate != 0 {
		t.Errorf("the error rate without clients is %v, want no data", rate)
	}
	withLocal := `count(envoy_cluster_upstream_rq_xx{envoy_cluster_name=~"shop/.+local"}) > bool 0`
	if counted, err := client.ErrorRate(t.Context(), target, withLocal, time.Now()); err != nil || counted != 1 {
		t.Errorf("the server's own count of requests is not scraped, so nothing shows that it is left out: %v, %v", counted, err)
	}
	if _, err := client.ErrorRate(t.Context(), target, "sum(", time.Now()); err == nil || !strings.Contains(err.Error(), "invalid query") {
		t.Errorf("an invalid query: %v", err)
	}
}

// podWithStats adds a pod whose sidecar has the statistics of sidecars in a mesh. Edits change its bootstrap.
func podWithStats(t *testing.T, n *pods.Network, name string, edits ...func(*bootstrapv3.Bootstrap)) *pods.Pod {
	t.Helper()
	config := bootstrapWithStats(t, n, name)
	for _, edit := range edits {
		edit(config)
	}
	return n.PodFrom(t, name, config)
}

// bootstrapWithStats is the bootstrap of podWithStats.
func bootstrapWithStats(t *testing.T, n *pods.Network, name string) *bootstrapv3.Bootstrap {
	t.Helper()
	files, err := bootstrap.Render(bootstrap.Config{
		ProxyUUID: "uuid", TrustDomain: trustDomain, XDSHost: "127.0.0.1", XDSPort: names.ADSPort, ServiceAccount: name, Namespace: "shop",
		Metrics: true, Dirs: bootstrap.DefaultDirs(),
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := yaml.YAMLToJSON(files[0].Content)
	if err != nil {
		t.Fatal(err)
	}
	rendered, config := &bootstrapv3.Bootstrap{}, n.Bootstrap(name)
	if err := protojson.Unmarshal(text, rendered); err != nil {
		t.Fatal(err)
	}
	config.StatsConfig, config.DeferredStatOptions = rendered.GetStatsConfig(), rendered.GetDeferredStatOptions()
	config.StatsEviction = rendered.GetStatsEviction()
	return config
}
