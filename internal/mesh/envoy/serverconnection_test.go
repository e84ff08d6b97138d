package envoy_test

import (
	"strings"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
)

// TestConnectionsToServersEnd checks that sidecars open connections to servers of gRPC again after a while: each has only one for a worker, so pods that are
// added to the server would get no requests.
func TestConnectionsToServersEnd(t *testing.T) {
	kinds := map[string]int{}
	for name, s := range scopes(t) {
		for _, r := range envoy.Build(s) {
			cluster, ok := r.Message.(*clusterv3.Cluster)
			if !ok || !usesHTTP2(t, cluster) {
				continue
			}
			for _, kind := range []string{envoy.ConfiguredAuthorizationCluster, envoy.TracingCluster, "extension|", "ratelimit|"} {
				if strings.HasPrefix(cluster.GetName(), kind) {
					kinds[kind]++
					if end := optionsOf(t, cluster).GetCommonHttpProtocolOptions().GetMaxConnectionDuration().AsDuration(); end <= 0 || end > 15*time.Minute {
						t.Errorf("%s: connections of %s end after %v", name, cluster.GetName(), end)
					}
				}
			}
		}
	}
	if len(kinds) != 4 {
		t.Errorf("the scopes have only these servers: %v", kinds)
	}
}

func usesHTTP2(t *testing.T, cluster *clusterv3.Cluster) bool {
	t.Helper()
	return optionsOf(t, cluster).GetExplicitHttpConfig().GetHttp2ProtocolOptions() != nil
}

func optionsOf(t *testing.T, cluster *clusterv3.Cluster) *httpv3.HttpProtocolOptions {
	t.Helper()
	options := &httpv3.HttpProtocolOptions{}
	for _, packed := range cluster.GetTypedExtensionProtocolOptions() {
		if err := packed.UnmarshalTo(options); err != nil {
			t.Fatal(err)
		}
	}
	return options
}
