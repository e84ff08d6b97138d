package envoy

import (
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	extauthzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

const extAuthzFilter = "envoy.filters.http.ext_authz"

// externalAuthorization returns the filters that send each request to authorization servers. The response to a request that a server could
// not decide is 503, which differs from a denial.
func externalAuthorization(s *scope.Scope) []*hcmv3.HttpFilter {
	var filters []*hcmv3.HttpFilter
	if s.ExternalAuthorization != nil {
		filters = append(filters, configuredAuthorization(s.ExternalAuthorization))
	}
	for _, a := range s.Authorizations {
		filters = append(filters, policyAuthorization(a))
	}
	return filters
}

// configuredAuthorization is the filter for the server of the MeshConfig.
func configuredAuthorization(server *catalog.ExternalAuthorization) *hcmv3.HttpFilter {
	return message.HTTPFilter(extAuthzFilter, &extauthzv3.ExtAuthz{
		StatPrefix:          server.StatPrefix,
		TransportApiVersion: corev3.ApiVersion_V3,
		Services: &extauthzv3.ExtAuthz_GrpcService{GrpcService: &corev3.GrpcService{
			TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: ConfiguredAuthorizationCluster}},
			Timeout:         durationpb.New(server.Timeout),
		}},
		FailureModeAllow:          server.FailureModeAllow,
		FailureModeAllowHeaderAdd: server.FailureModeAllow,
		StatusOnError:             undecided,
	})
}

// undecided is the status of requests without a decision.
var undecided = &typev3.HttpStatus{Code: typev3.StatusCode_ServiceUnavailable}

// skipUnusedAuthorization disables authorization servers for connections that are drained after they were removed. Their filter chain
// still sends requests to them, and their clusters are gone.
func skipUnusedAuthorization(s *scope.Scope, host *routev3.VirtualHost) {
	used := map[string]bool{extAuthzFilter: s.ExternalAuthorization != nil}
	for _, a := range s.Authorizations {
		used[policyAuthorizationFilter(a.MeshWide)] = true
	}
	for _, name := range []string{extAuthzFilter, policyAuthorizationFilter(true), policyAuthorizationFilter(false)} {
		if !used[name] {
			host.TypedPerFilterConfig[name] = noAuthorization
		}
	}
}

var noAuthorization = message.Any(&extauthzv3.ExtAuthzPerRoute{Override: &extauthzv3.ExtAuthzPerRoute_Disabled{Disabled: true}})

// extAuthzClusters has the authorization server. Without an address it has no endpoint.
func extAuthzClusters(s *scope.Scope) []*clusterv3.Cluster {
	server := s.ExternalAuthorization
	if server == nil {
		return nil
	}
	out := emptyCluster(ConfiguredAuthorizationCluster)
	if server.Address != "" && server.Port != 0 {
		out = serverCluster(ConfiguredAuthorizationCluster, server.Address, server.Port, s.Key.Class)
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

// onlyHTTP2 is for gRPC servers.
var onlyHTTP2 = &httpv3.HttpProtocolOptions{
	UpstreamProtocolOptions: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_{ExplicitHttpConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig{
		ProtocolConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{Http2ProtocolOptions: &corev3.Http2ProtocolOptions{}},
	}},
}
