package controlplane

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/controlplane/changetrace"
	"github.com/openservicemesh/osm-operator/internal/platform/logging"
)

// newTestSettings returns the settings of a control plane without a cluster. listen opens the listener of the debug server.
func newTestSettings(t *testing.T, listen func() (net.Listener, error)) *settings {
	t.Helper()
	root, err := certificate.NewRoot(certificate.KeySpec{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	log, registry, traces := logging.New("error"), prometheus.NewRegistry(), changetrace.New()
	manager, store := newStore(Config{TrustDomain: "mesh.test"}, root, nil, log, registry, traces)
	var meshConfig atomic.Pointer[configv1alpha2.MeshConfig]
	return &settings{
		log: log, flags: newFlagMetric(registry), traces: traces, store: store, certificates: manager, resync: NewResync(func() {}),
		meshConfig: &meshConfig, debug: newDebugServer(listen, store, manager, &meshConfig, log),
	}
}

// TestSettings_LogLevelIsLive applies three levels. A logger that exists already follows.
func TestSettings_LogLevelIsLive(t *testing.T) {
	s := newTestSettings(t, func() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") })
	derived := s.log.WithName("xds")
	for _, step := range []struct {
		level       string
		info, debug bool
	}{{"error", false, false}, {"debug", true, true}, {"info", true, false}} {
		mc := &configv1alpha2.MeshConfig{}
		mc.Spec.Observability.OSMLogLevel = step.level
		s.apply(mc)
		if derived.Enabled() != step.info || derived.V(1).Enabled() != step.debug {
			t.Errorf("%s: info %t, debug %t; want %t, %t", step.level, derived.Enabled(), derived.V(1).Enabled(), step.info, step.debug)
		}
	}
}

// TestSettings_ToggleDebugServer applies three versions of a MeshConfig.
func TestSettings_ToggleDebugServer(t *testing.T) {
	listening := make(chan net.Listener, 2)
	s := newTestSettings(t, func() (net.Listener, error) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		listening <- listener
		return listener, err
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.debug.Run(ctx) }()
	apply := func(debug, retry bool) {
		mc := &configv1alpha2.MeshConfig{}
		mc.Spec.Observability.EnableDebugServer, mc.Spec.FeatureFlags.EnableRetryPolicy = debug, retry
		mc.Spec.Certificate.ServiceCertValidityDuration = "1h"
		s.apply(mc)
	}
	apply(false, false)
	apply(true, true)
	address := (<-listening).Addr().String()
	if code := pageStatus(t, address); code != http.StatusOK {
		t.Errorf("status of the debug page = %d", code)
	}
	if on := testutil.ToFloat64(s.flags.WithLabelValues("enableRetryPolicy")); on != 1 {
		t.Errorf("the flag metric = %v, want 1", on)
	}
	apply(false, false)
	if on := testutil.ToFloat64(s.flags.WithLabelValues("enableRetryPolicy")); on != 0 {
		t.Errorf("the flag metric = %v, want 0", on)
	}
	deadline := time.Now().Add(10 * time.Second)
	for pageStatus(t, address) != 0 {
		if time.Now().After(deadline) {
			t.Fatal("the debug server is still on")
		}
		time.Sleep(5 * time.Millisecond)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if len(listening) > 0 {
		t.Error("the debug server was started more than once")
	}
}

// pageStatus returns the status code of the feature flags page, or 0 without a server.
func pageStatus(t *testing.T, address string) int {
	t.Helper()
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + address + "/debug/feature-flags")
	if err != nil {
		return 0
	}
	defer func() { _ = response.Body.Close() }()
	return response.StatusCode
}

func TestDebugAddress_IsLoopback(t *testing.T) {
	address, err := netip.ParseAddrPort(DefaultAddresses().Debug)
	if err != nil || !address.Addr().IsLoopback() || address.Port() != 9092 {
		t.Errorf("the debug server listens on %s: %v", DefaultAddresses().Debug, err)
	}
}

func TestVersionInfo(t *testing.T) {
	families, err := newMetrics().registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "osm_version_info" && family.GetMetric()[0].GetGauge().GetValue() == 1 {
			return
		}
	}
	t.Error("no osm_version_info of 1")
}
