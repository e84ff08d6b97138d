package envoy_test

import (
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
)

// TestHealthChecksAreSpread checks that clients that got one push do not check a server together for ever. Their first check has no jitter, because a cluster
// that was changed is used after it.
func TestHealthChecksAreSpread(t *testing.T) {
	checks := 0
	for name, s := range scopes(t) {
		for _, r := range envoy.Build(s) {
			cluster, isCluster := r.Message.(*clusterv3.Cluster)
			if !isCluster {
				continue
			}
			for _, check := range cluster.GetHealthChecks() {
				checks++
				const least = 5
				if check.GetIntervalJitterPercent() < least || check.GetInitialJitter() != nil {
					t.Errorf("%s: cluster %s is checked with a jitter of %d%%, at first %v", name, cluster.GetName(), check.GetIntervalJitterPercent(), check.GetInitialJitter())
				}
			}
		}
	}
	if checks == 0 {
		t.Error("no scope has health checks")
	}
}
