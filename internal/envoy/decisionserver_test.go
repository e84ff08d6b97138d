package envoy

import (
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/scope"
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

// TestClusterOfDecisionsHardlyDependsOnTheirTimeout holds that most changes of a timeout leave the cluster: Envoy aborts the decisions in
// progress if it changes.
func TestClusterOfDecisionsHardlyDependsOnTheirTimeout(t *testing.T) {
	cluster := func(timeout time.Duration) *clusterv3.Cluster {
		return extAuthzClusters(&scope.Scope{ExternalAuthorization: &catalog.ExternalAuthorization{Address: "192.0.2.1", Port: 9191, Timeout: timeout}})[0]
	}
	for _, test := range []struct {
		one, other time.Duration
		want       time.Duration
	}{
		{10 * time.Millisecond, 3 * time.Second, 750 * time.Millisecond},
		{4 * time.Second, time.Minute, connectTimeout},
	} {
		if !proto.Equal(cluster(test.one), cluster(test.other)) {
			t.Errorf("timeouts of %s and %s have different clusters", test.one, test.other)
		}
		if got := cluster(test.one).GetConnectTimeout().AsDuration(); got != test.want {
			t.Errorf("with a timeout of %s, connecting may take %s, want %s", test.one, got, test.want)
		}
	}
}
