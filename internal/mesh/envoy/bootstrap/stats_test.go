package bootstrap

import (
	"regexp"
	"strings"
	"testing"
)

// TestEssentialStatistics names statistics that dashboards, alerts and upgrades use, and others, of which a sidecar has hundreds.
func TestEssentialStatistics(t *testing.T) {
	for name, want := range map[string]bool{
		"osm.request_total":                                        true,
		"server.live":                                              true,
		"server.stats_overflow.counter":                            true,
		"server.stats_overflow.histogram":                          true,
		"cluster.shop/web|8080.upstream_rq_5xx":                    true,
		"cluster.shop/web|8080|local.upstream_rq_2xx":              true,
		"cluster.shop/web|8080.upstream_cx_tx_bytes_total":         true,
		"cluster.shop/web|8080.upstream_rq_retry_success":          true,
		"cluster.shop/web|8080.outlier_detection.ejections_active": true,
		"cluster.api.example.com_443.upstream_cx_total":            true,
		"cluster.443.upstream_cx_total":                            true,
		"cluster.passthrough-outbound.upstream_cx_rx_bytes_total":  true,
		"cluster.osm-controller.upstream_rq_total":                 true,
		"control_plane.connected_state":                            true,
		"cluster.readiness_cluster.membership_healthy":             true,
		"cluster.readiness_cluster_web.membership_healthy":         true,
		"network-rbac.denied":                                      true,
		"listener.0.0.0.0_15003.ssl.fail_verify_san":               true,

		"cluster.shop/web|8080.upstream_rq_200":                         false,
		"cluster.shop/web|8080.external.upstream_rq_5xx":                false,
		"cluster.shop/web|8080.circuit_breakers.default.remaining_cx":   false,
		"cluster.shop/web|8080.update_attempt":                          false,
		"cluster.ready_cluster.upstream_rq_2xx":                         false,
		"cluster.readiness_cluster.upstream_rq_2xx":                     false,
		"cluster.envoy-metrics-cluster.upstream_rq_2xx":                 false,
		"http.mesh-http-conn-manager.rds-outbound.80.downstream_rq_2xx": false,
		"http.health_probes_http.downstream_rq_2xx":                     false,
		"listener.0.0.0.0_15905.downstream_cx_total":                    false,
		"runtime.load_success":                                          false,
	} {
		if got := isEssential(name); got != want {
			t.Errorf("%s is essential: %v, want %v", name, got, want)
		}
	}
}

// isEssential reports whether the matcher of a sidecar keeps a statistic.
func isEssential(name string) bool {
	for _, pattern := range essentialStatistics().GetPatterns() {
		prefix, expression := pattern.GetPrefix(), pattern.GetSafeRegex().GetRegex()
		if prefix != "" && strings.HasPrefix(name, prefix) || expression != "" && regexp.MustCompile("^("+expression+")$").MatchString(name) {
			return true
		}
	}
	return false
}
