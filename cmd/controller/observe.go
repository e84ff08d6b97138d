package main

import (
	"fmt"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openservicemesh/osm-operator/internal/controlplane/debug"
	"github.com/openservicemesh/osm-operator/internal/platform/httplimit"
	"github.com/openservicemesh/osm-operator/internal/platform/httpmetrics"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/version"
)

// addMetrics registers the metrics of the process.
func (p *program) addMetrics() {
	p.http = httpmetrics.New(p.registry, time.Now)
	p.limits = httplimit.NewMetrics(p.registry)
	p.flags = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "osm_feature_flag_enabled", Help: "1 for each feature flag of the MeshConfig that is on, 0 for the others.",
	}, []string{"feature_flag"})
	built := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "osm_version_info", Help: "Always 1, with the version and source commit of the control plane.",
	}, []string{"version", "build_date", "git_commit"})
	p.registry.MustRegister(p.flags, built)
	commit, date := version.Source()
	built.WithLabelValues(version.Version, date, commit).Set(1)
}

// debugAddress is on the loopback interface: kubectl port-forward reaches it, but no other pod does.
func debugAddress() string { return fmt.Sprintf("127.0.0.1:%d", names.DebugPort) }

// addDebug creates the debug server.
func (p *program) addDebug(listen func() (net.Listener, error)) {
	handler := debug.Handler(debug.Sources{Store: p.store, Certificates: p.authority.manager.List, MeshConfig: p.meshConfig.Load})
	p.debug = debug.NewSwitch(listen, handler, p.log.WithName("debug"))
}

func boolGauge(on bool) float64 {
	if on {
		return 1
	}
	return 0
}
