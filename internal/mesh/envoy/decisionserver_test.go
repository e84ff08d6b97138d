package envoy

import (
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/extauthz"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

func TestIsDecisionServer(t *testing.T) {
	for name, want := range map[string]bool{
		ConfiguredAuthorizationCluster: true, extauthz.Cluster(true): true, extauthz.Cluster(false): true,
		RateLimitCluster(upstream.GlobalLimit{Address: "limits.example.com", Port: 8081}): true,
		"external-authorization/web|80": false, "ratelimit/web|80": false, "shop/web|80": false, "extension|shop/logs": false,
	} {
		if IsDecisionServer(name) != want {
			t.Errorf("%s: %t", name, !want)
		}
	}
}

// TestClusterOfDecisionsDoesNotDependOnTheirTimeout holds that a change of the timeout leaves the cluster: Envoy aborts the decisions in
// progress if it changes, and their requests fail.
func TestClusterOfDecisionsDoesNotDependOnTheirTimeout(t *testing.T) {
	cluster := func(timeout time.Duration) *clusterv3.Cluster {
		return extAuthzClusters(translationOf(&scope.Scope{
			Sidecar: scope.Sidecar{
				ExternalAuthorization: &catalog.ExternalAuthorization{Address: "192.0.2.1", Port: 9191, Timeout: timeout},
			},
		}))[0]
	}
	if !proto.Equal(cluster(10*time.Millisecond), cluster(time.Minute)) {
		t.Error("the clusters differ")
	}
}
