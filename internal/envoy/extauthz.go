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

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/scope"
)

const (
	extAuthzFilter = "envoy.filters.http.ext_authz"
	// extAuthzCluster is the cluster of the authorization server.
	extAuthzCluster = "external-authorization"
)

// externalAuthorization returns the filter that asks the authorization server about each request; none if there is no server. The
// response to a request that it could not decide is 503, which differs from a denial.
func externalAuthorization(server *catalog.ExternalAuthorization) []*hcmv3.HttpFilter {
	if server == nil {
		return nil
	}
	return []*hcmv3.HttpFilter{message.HTTPFilter(extAuthzFilter, &extauthzv3.ExtAuthz{
		StatPrefix:          server.StatPrefix,
		TransportApiVersion: corev3.ApiVersion_V3,
		Services: &extauthzv3.ExtAuthz_GrpcService{GrpcService: &corev3.GrpcService{
			TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: extAuthzCluster}},
			Timeout:         durationpb.New(server.Timeout),
		}},
		FailureModeAllow:          server.FailureModeAllow,
		FailureModeAllowHeaderAdd: server.FailureModeAllow,
		StatusOnError:             &typev3.HttpStatus{Code: typev3.StatusCode_ServiceUnavailable},
	})}
}

// skipUnusedAuthorization disables the authorization server for connections that are drained after it was removed. Their filter chain
// still asks it, and its cluster is gone.
func skipUnusedAuthorization(s *scope.Scope, host *routev3.VirtualHost) {
	if s.ExternalAuthorization == nil {
		host.TypedPerFilterConfig[extAuthzFilter] = noAuthorization
	}
}

var noAuthorization = message.Any(&extauthzv3.ExtAuthzPerRoute{Override: &extauthzv3.ExtAuthzPerRoute_Disabled{Disabled: true}})

// extAuthzClusters has the authorization server. Without an address it has no endpoint.
func extAuthzClusters(s *scope.Scope) []*clusterv3.Cluster {
	server := s.ExternalAuthorization
	if server == nil {
		return nil
	}
	out := newCluster(extAuthzCluster, clusterv3.Cluster_STATIC)
	out.LoadAssignment = &endpointv3.ClusterLoadAssignment{ClusterName: out.Name}
	if server.Address != "" && server.Port != 0 {
		out = serverCluster(extAuthzCluster, server.Address, server.Port, s.Key.Class)
	}
	out.TypedExtensionProtocolOptions = map[string]*anypb.Any{message.HTTPProtocolOptions: message.Any(onlyHTTP2)}
	return []*clusterv3.Cluster{out}
}

// onlyHTTP2 is for gRPC servers.
var onlyHTTP2 = &httpv3.HttpProtocolOptions{
	UpstreamProtocolOptions: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_{ExplicitHttpConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig{
		ProtocolConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{Http2ProtocolOptions: &corev3.Http2ProtocolOptions{}},
	}},
}
