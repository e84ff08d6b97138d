package pods_test

import (
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	overloadv3 "github.com/envoyproxy/go-control-plane/envoy/config/overload/v3"
	injectedv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/resource_monitors/injected_resource/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/openservicemesh/osm-operator/internal/injector/redirect"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/bootstrap"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/retry"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
)

// TestRequestsToSidecarsWithoutMemoryAreRepeated fills one of two pods while clients have connections to both: no request fails, of any method. The metrics of
// the full one can be read meanwhile, and count the connections that it rejects.
func TestRequestsToSidecarsWithoutMemoryAreRepeated(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.server.Configure(t, s.serverScope())
	pressure := filepath.Join(s.network.Dir, "pressure")
	setPressure(t, pressure, "0")
	config := s.network.Bootstrap("full")
	bootstrap.LimitSidecar(config, 1<<30)
	readPressure(t, config, pressure)
	full := s.network.Custom(t, "full", redirect.Config{}, config)
	full.ServeHTTP(t, 8081, http.HandlerFunc(describe))
	full.Configure(t, s.serverScope())
	client := leafClient(s)
	// By default one of some hundred requests meets the full pod with all of its attempts.
	client.Retries = []scope.Retry{{Service: leaf, Policy: retry.Settings{On: "connect-failure", Count: 5}}}
	both := endpointsAt(client, full.IP)
	both[0].Addresses = append(both[0].Addresses, netip.AddrPortFrom(s.server.IP, 8081))
	s.client.Configure(t, client, both...)
	s.callLeaf(t, 20)
	setPressure(t, pressure, "0.97")
	rejected := func() bool {
		metrics := s.stranger.Get(t, "http://"+full.IP.String()+":15010/stats/prometheus")
		count := regexp.MustCompile(`envoy_listener_downstream_cx_overload_reject\{envoy_listener_address="0.0.0.0_15003"\} [1-9]`)
		return count.MatchString(metrics.Body)
	}
	eventually.True(t, 10*time.Second, "the full sidecar rejects connections", func() bool {
		s.callLeaf(t, 10)
		return rejected()
	})
	s.callLeaf(t, 40)
}

// callLeaf sends requests of several methods, all of which must succeed.
func (s *shop) callLeaf(t *testing.T, count int) {
	t.Helper()
	for i := range count {
		method := []string{http.MethodGet, http.MethodPost}[i%2]
		if got := s.client.Call(t, method, "http://10.96.0.9/"); got.Status != http.StatusOK {
			t.Fatalf("the status of %s request %d is %d: %s", method, i, got.Status, got.Body)
		}
	}
}

// readPressure makes an overload manager read a file instead of the heap.
func readPressure(t *testing.T, config *bootstrapv3.Bootstrap, file string) {
	t.Helper()
	const monitor = "envoy.resource_monitors.injected_resource"
	packed, err := anypb.New(&injectedv3.InjectedResourceConfig{Filename: file})
	if err != nil {
		t.Fatal(err)
	}
	config.OverloadManager.ResourceMonitors = []*overloadv3.ResourceMonitor{{
		Name: monitor, ConfigType: &overloadv3.ResourceMonitor_TypedConfig{TypedConfig: packed},
	}}
	for _, action := range config.GetOverloadManager().GetActions() {
		for _, trigger := range action.GetTriggers() {
			trigger.Name = monitor
		}
	}
}

// setPressure replaces a file: Envoy reads it when it is moved.
func setPressure(t *testing.T, file, value string) {
	t.Helper()
	if err := os.WriteFile(file+".new", []byte(value), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}
