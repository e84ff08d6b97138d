package bootstrap

import (
	metricsv3 "github.com/envoyproxy/go-control-plane/envoy/config/metrics/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"github.com/openservicemesh/osm-operator/internal/names"
)

// statsConfig keeps Envoy's default labels, which OSM's dashboards use. It excludes the kubelet's requests, which
// would count as traffic of the mesh. The clusters of probes stay, because Envoy answers TCP probes from their
// statistics.
func statsConfig() *metricsv3.StatsConfig {
	prefixes := []string{
		"cluster." + readyClusterName + ".",
		"cluster." + readyAdminClusterName + ".",
		"cluster." + names.UnreadyCluster + ".",
		"http." + readyListenerName + ".",
		"http." + probesStatPrefix + ".",
		"tcp." + passthroughStatPrefix + ".",
		// The listeners on the ports 15901 to 15909.
		"listener.0.0.0.0_1590",
	}
	patterns := make([]*matcherv3.StringMatcher, 0, len(prefixes))
	for _, prefix := range prefixes {
		patterns = append(patterns, &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: prefix}})
	}
	return &metricsv3.StatsConfig{StatsMatcher: &metricsv3.StatsMatcher{
		StatsMatcher: &metricsv3.StatsMatcher_ExclusionList{ExclusionList: &matcherv3.ListStringMatcher{Patterns: patterns}},
	}}
}
