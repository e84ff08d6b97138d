package envoy

import (
	"fmt"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
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
