package envoy

import (
	"fmt"
	"strings"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	extauthzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/extauthz"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// externalAuthorization returns the filters that send each request to authorization servers. The response to a request that a server could
// not decide is 503, which differs from a denial.
func externalAuthorization(s *translation) []*hcmv3.HttpFilter {
	var filters []*hcmv3.HttpFilter
	if s.ExternalAuthorization != nil {
		filters = append(filters, configuredAuthorization(s.ExternalAuthorization))
	}
	return append(filters, lists.Map(s.Authorizations, func(a extauthz.Server) *hcmv3.HttpFilter { return extauthz.Filter(&a) })...)
}

// configuredAuthorization is the filter for the server of the MeshConfig.
func configuredAuthorization(server *catalog.ExternalAuthorization) *hcmv3.HttpFilter {
	service := message.GRPC(ConfiguredAuthorizationCluster)
	service.Timeout = durationpb.New(server.Timeout)
	return message.HTTPFilter(extauthz.ConfiguredFilter, &extauthzv3.ExtAuthz{
		StatPrefix:                server.StatPrefix,
		TransportApiVersion:       corev3.ApiVersion_V3,
		Services:                  &extauthzv3.ExtAuthz_GrpcService{GrpcService: service},
		FailureModeAllow:          server.FailureModeAllow,
		FailureModeAllowHeaderAdd: server.FailureModeAllow,
		StatusOnError:             message.Undecided,
	})
}

// skipUnusedAuthorization disables authorization servers for connections that are drained after they were removed. Their filter chain
// still sends requests to them, and their clusters are gone.
func skipUnusedAuthorization(s *translation, host *routev3.VirtualHost) {
	used := map[string]bool{extauthz.ConfiguredFilter: s.ExternalAuthorization != nil}
	for _, a := range s.Authorizations {
		used[extauthz.FilterName(a.MeshWide)] = true
	}
	for _, name := range authorizationFilters {
		if !used[name] {
			host.TypedPerFilterConfig[name] = noAuthorization
		}
	}
}

// authorizationFilters are the names of the filters for authorization servers.
var authorizationFilters = []string{extauthz.ConfiguredFilter, extauthz.FilterName(true), extauthz.FilterName(false)}

var noAuthorization = message.Any(&extauthzv3.ExtAuthzPerRoute{Override: &extauthzv3.ExtAuthzPerRoute_Disabled{Disabled: true}})

// extAuthzClusters has the authorization server. Without an address it has no endpoint.
func extAuthzClusters(s *translation) []*clusterv3.Cluster {
	server := s.ExternalAuthorization
	if server == nil {
		return nil
	}
	out := emptyCluster(ConfiguredAuthorizationCluster)
	if server.Address != "" && server.Port != 0 {
		out = configuredCluster(s, ConfiguredAuthorizationCluster, server.Address, server.Port, false)
	}
	out.TypedExtensionProtocolOptions = map[string]*anypb.Any{message.HTTPProtocolOptions: message.Any(onlyHTTP2)}
	return []*clusterv3.Cluster{out}
}

// emptyCluster has no endpoint, so calls fail at once.
func emptyCluster(name string) *clusterv3.Cluster {
	out := newCluster(name, clusterv3.Cluster_STATIC)
	out.LoadAssignment = &endpointv3.ClusterLoadAssignment{ClusterName: name}
	return out
}

// maxServerConnection is for how long a sidecar keeps a connection to a server of gRPC. It has one for each worker, and without an end all of them would stay
// at the pods that the server had at first.
const maxServerConnection = 10 * time.Minute

// onlyHTTP2 is for gRPC servers.
var onlyHTTP2 = &httpv3.HttpProtocolOptions{
	CommonHttpProtocolOptions: &corev3.HttpProtocolOptions{MaxConnectionDuration: durationpb.New(maxServerConnection)},
	UpstreamProtocolOptions: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_{ExplicitHttpConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig{
		ProtocolConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{Http2ProtocolOptions: boundedStreams(nil)},
	}},
}

// Clusters of servers that decide about requests or connections before a sidecar forwards them.
const (
	// ConfiguredAuthorizationCluster is the cluster of the authorization server of the MeshConfig.
	ConfiguredAuthorizationCluster = "external-authorization"

	rateLimitPrefix = "ratelimit|"
)

// IsDecisionServer reports whether a cluster is an authorization server or a rate limit service.
func IsDecisionServer(cluster string) bool {
	return cluster == ConfiguredAuthorizationCluster || extauthz.IsCluster(cluster) || strings.HasPrefix(cluster, rateLimitPrefix)
}

// RateLimitCluster is the cluster of the service that counts a global limit.
func RateLimitCluster(limit upstream.GlobalLimit) string {
	return fmt.Sprintf("%s%s:%d", rateLimitPrefix, limit.Address, limit.Port)
}

// extensionClusters are the servers outside the mesh that policies refer to.
func extensionClusters(s *translation) []*clusterv3.Cluster {
	var out []*clusterv3.Cluster
	if s.AccessLog != nil && s.AccessLog.Export != nil {
		service := &s.AccessLog.Export.Service
		out = append(out, extensionCluster(s, s.AccessLog.Export.Cluster(), service))
	}
	for _, a := range s.Authorizations {
		name := extauthz.Cluster(a.MeshWide)
		if a.Service == nil {
			out = append(out, emptyCluster(name))
			continue
		}
		out = append(out, extensionCluster(s, name, a.Service))
	}
	return out
}

// extensionCluster has an ExtensionService. If connections to it cannot be encrypted as a BackendTLSPolicy demands, it has no endpoint.
func extensionCluster(s *translation, name string, service *catalog.ExtensionService) *clusterv3.Cluster {
	tls := s.ServerTLS[service.Name.String()]
	if tls != nil && tls.Unusable {
		return emptyCluster(name)
	}
	out := serverCluster(s, name, service.Address, service.Port)
	if !service.HTTP1 {
		out.TypedExtensionProtocolOptions = map[string]*anypb.Any{message.HTTPProtocolOptions: message.Any(onlyHTTP2)}
	}
	if service.ConnectTimeout > 0 {
		out.ConnectTimeout = durationpb.New(service.ConnectTimeout)
	}
	if tls != nil {
		out.TransportSocket = toServerTLS(tls, service.HTTP1)
	}
	return out
}
