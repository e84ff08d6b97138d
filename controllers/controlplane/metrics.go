package controlplane

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/openservicemesh/osm-operator/internal/platform/httplimit"
	"github.com/openservicemesh/osm-operator/internal/platform/httpmetrics"
	"github.com/openservicemesh/osm-operator/internal/platform/version"
)

// processMetrics are the metrics of the process and of its HTTP servers.
type processMetrics struct {
	registry *prometheus.Registry
	http     *httpmetrics.Metrics
	limits   *httplimit.Metrics
}

// newMetrics returns a registry with the metrics of the process.
func newMetrics() processMetrics {
	registry := prometheus.NewRegistry()
	built := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "osm_version_info", Help: "Always 1, with the version and source commit of the control plane.",
	}, []string{"version", "build_date", "git_commit"})
	registry.MustRegister(built, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	commit, date := version.Source()
	built.WithLabelValues(version.Version, date, commit).Set(1)
	return processMetrics{registry: registry, http: httpmetrics.New(registry, time.Now), limits: httplimit.NewMetrics(registry)}
}

// newFlagMetric registers the metric of the feature flags.
func newFlagMetric(registry prometheus.Registerer) *prometheus.GaugeVec {
	flags := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "osm_feature_flag_enabled", Help: "1 for each feature flag of the MeshConfig that is on, 0 for the others.",
	}, []string{"feature_flag"})
	registry.MustRegister(flags)
	return flags
}

func boolGauge(on bool) float64 {
	if on {
		return 1
	}
	return 0
}
