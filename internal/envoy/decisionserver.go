package envoy

import (
	"fmt"
	"strings"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/openservicemesh/osm-operator/internal/catalog"
)

// Clusters of servers that decide about requests or connections before a sidecar forwards them.
const (
	// ConfiguredAuthorizationCluster is the cluster of the authorization server of the MeshConfig.
	ConfiguredAuthorizationCluster = "external-authorization"

	policyAuthorizationPrefix = ConfiguredAuthorizationCluster + "|"
	rateLimitPrefix           = "ratelimit|"
)

// IsDecisionServer reports whether a cluster is an authorization server or a rate limit service.
func IsDecisionServer(cluster string) bool {
	return cluster == ConfiguredAuthorizationCluster || strings.HasPrefix(cluster, policyAuthorizationPrefix) || strings.HasPrefix(cluster, rateLimitPrefix)
}

// PolicyAuthorizationCluster is the cluster of the server of an ExternalAuthorization: that of the mesh, or that of the namespace.
func PolicyAuthorizationCluster(meshWide bool) string {
	return policyAuthorizationPrefix + authorizationLevel(meshWide)
}

// RateLimitCluster is the cluster of the service that counts a global limit.
func RateLimitCluster(limit catalog.GlobalLimit) string {
	return fmt.Sprintf("%s%s:%d", rateLimitPrefix, limit.Address, limit.Port)
}

// minDecisionConnectTimeout is enough to connect to a server that decides in time.
const minDecisionConnectTimeout = 500 * time.Millisecond

// boundConnectTimeout makes connecting end before the timeout of a decision, if that is long enough. A request that times out while it
// waits for a connection is in no load report, and one whose connection fails is.
func boundConnectTimeout(c *clusterv3.Cluster, decision time.Duration) {
	if limit := max(decision*3/4, minDecisionConnectTimeout); limit < c.GetConnectTimeout().AsDuration() {
		c.ConnectTimeout = durationpb.New(limit)
	}
}
