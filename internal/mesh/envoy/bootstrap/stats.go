package bootstrap

import (
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	metricsv3 "github.com/envoyproxy/go-control-plane/envoy/config/metrics/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// AllStatistics is the value of Config.Statistics that keeps all statistics of Envoy.
const AllStatistics = "All"

// essentialPrefixes select statistics whose number does not depend on the size of the mesh, and those with labels.
var essentialPrefixes = []string{"osm.", "control_plane.", "cluster_manager.", "listener_manager.", "network-rbac.", "overload."}

// essentialExpressions select the other statistics that dashboards, alerts and the gate of upgrades use. Envoy answers TCP
// probes from the membership of their clusters.
var essentialExpressions = []string{
	`server\.(live|state|uptime|memory_.*|total_connections|concurrency|days_until_first_cert_expiring|stats_overflow\..*)`,
	`cluster\.(` + meshClusters + `)\.(` + clusterStatistics + `)`,
	`cluster\.(liveness|readiness|startup)_cluster[^.]*\.membership_(healthy|total|degraded|excluded)`,
	`listener\.0\.0\.0\.0_1500[13]\.(downstream_cx_(active|total|overflow|overload_reject)|no_filter_chain_match|ssl\.(connection_error|handshake|fail_verify_.*))`,
	`.*\.rate_limited`,
}

const (
	// meshClusters are the names of ports of Services, of destinations outside the mesh, and of the control plane.
	meshClusters = `[^./|]+/[^./|]+[|][0-9]+([|][a-z]+)?|[^/|]+[:_][0-9]+|[0-9]+|passthrough-outbound|osm-controller`

	// clusterStatistics are those that OSM's Prometheus kept, connection errors and the state of endpoints.
	clusterStatistics = `upstream_rq_([1-5]xx|total|timeout|rx_reset|tx_reset|retry.*|pending_failure_eject|pending_overflow)` +
		`|upstream_cx_(active|total|tx_bytes_total|rx_bytes_total|connect_timeout|connect_fail|overflow|destroy_(local|remote)_with_active_rq)` +
		`|membership_.*|health_check\..*|outlier_detection\.ejections_(active|enforced_total)|ssl\.(connection_error|fail_verify_.*)`
)

// StatsConfig keeps Envoy's default labels, which OSM's dashboards use. Without the kubelet's requests: they would count as
// traffic of the mesh.
func StatsConfig(statistics string) *metricsv3.StatsConfig {
	matcher := &metricsv3.StatsMatcher{StatsMatcher: &metricsv3.StatsMatcher_InclusionList{InclusionList: essentialStatistics()}}
	if statistics == AllStatistics {
		matcher.StatsMatcher = &metricsv3.StatsMatcher_ExclusionList{ExclusionList: kubeletStatistics()}
	}
	return &metricsv3.StatsConfig{StatsMatcher: matcher}
}

// gatewayStatistics select the requests in progress of a gateway, for which it waits before it stops.
const gatewayStatistics = `http\.mesh-http-conn-manager\.rds-gateway\..*\.downstream_(rq|cx)_(active|total)`

// statsOf is the StatsConfig of a sidecar or gateway.
func statsOf(c Config) *metricsv3.StatsConfig {
	config := StatsConfig(c.Statistics)
	if list := config.GetStatsMatcher().GetInclusionList(); c.Gateway && list != nil {
		list.Patterns = append(list.Patterns, expressions(gatewayStatistics)...)
	}
	return config
}

func essentialStatistics() *matcherv3.ListStringMatcher {
	list := prefixes(essentialPrefixes)
	list.Patterns = append(list.Patterns, expressions(essentialExpressions...)...)
	return list
}

func expressions(list ...string) []*matcherv3.StringMatcher {
	return lists.Map(list, message.Regex)
}

// kubeletStatistics are those of probes, without their clusters.
func kubeletStatistics() *matcherv3.ListStringMatcher {
	return prefixes([]string{
		"cluster." + readyClusterName + ".",
		"cluster." + readyAdminClusterName + ".",
		"cluster." + names.UnreadyCluster + ".",
		"http." + readyListenerName + ".",
		"http." + probesStatPrefix + ".",
		// The listeners on the ports 15901 to 15909.
		"listener.0.0.0.0_1590",
	})
}

func prefixes(list []string) *matcherv3.ListStringMatcher {
	return &matcherv3.ListStringMatcher{Patterns: lists.Map(list, message.Prefix)}
}

// DeferredStats delays the statistics of a cluster until its first request.
func DeferredStats() *bootstrapv3.Bootstrap_DeferredStatOptions {
	return &bootstrapv3.Bootstrap_DeferredStatOptions{EnableDeferredCreationStats: true}
}

// statsEvictionInterval is the time between two removals of series with labels that nobody incremented since the one before. A series
// leaves after one to two intervals. Prometheus misses what a series counts between its return and the next scrape, because rate() needs
// two samples: with a short interval the requests of a job that runs every half hour would never be seen. It is a multiple of Envoy's interval
// for flushes, five seconds.
const statsEvictionInterval = time.Hour

// statsEviction removes statistics that nobody increments, where their scope allows it.
func statsEviction() *bootstrapv3.Bootstrap_StatsEvictionInterval {
	return &bootstrapv3.Bootstrap_StatsEvictionInterval{StatsEvictionInterval: durationpb.New(statsEvictionInterval)}
}
