package envoy

import (
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"

	"github.com/openservicemesh/osm-operator/internal/catalog"
)

func TestIsDecisionServer(t *testing.T) {
	for name, want := range map[string]bool{
		ConfiguredAuthorizationCluster: true, PolicyAuthorizationCluster(true): true, PolicyAuthorizationCluster(false): true,
		RateLimitCluster(catalog.GlobalLimit{Address: "limits.example.com", Port: 8081}): true,
		"external-authorization/web|80": false, "ratelimit/web|80": false, "shop/web|80": false, "extension|shop/logs": false,
	} {
		if IsDecisionServer(name) != want {
			t.Errorf("%s: %t", name, !want)
		}
	}
}

// TestConnectTimeoutOfDecisions checks that connecting ends before the decision, and a shorter limit stays.
func TestConnectTimeoutOfDecisions(t *testing.T) {
	for decision, want := range map[time.Duration]time.Duration{
		time.Second: 750 * time.Millisecond, 10 * time.Millisecond: minDecisionConnectTimeout, time.Minute: connectTimeout,
	} {
		c := newCluster("x", clusterv3.Cluster_STATIC)
		boundConnectTimeout(c, decision)
		if got := c.GetConnectTimeout().AsDuration(); got != want {
			t.Errorf("a decision within %s has %s to connect, want %s", decision, got, want)
		}
	}
}
