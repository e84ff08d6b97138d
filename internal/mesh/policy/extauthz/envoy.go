package extauthz

import (
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extauthzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

const (
	// ConfiguredFilter is the name of the filter for the server of the MeshConfig.
	ConfiguredFilter = "envoy.filters.http.ext_authz"
	// clusterPrefix begins the names of the clusters of servers.
	clusterPrefix = "external-authorization|"
)

// Cluster is the name of the cluster of a server: that of the policy of the mesh, or that of the namespace.
func Cluster(meshWide bool) string { return clusterPrefix + level(meshWide) }

// IsCluster reports whether a cluster is that of a server.
func IsCluster(name string) bool { return strings.HasPrefix(name, clusterPrefix) }

// Filter returns the filter that sends each request to a server. The response to a request that the server could not decide is 503, which differs from a
// denial. Filter and cluster have the same names for every policy,
// so connections that are drained after a change use the current server.
func Filter(a *Server) *hcmv3.HttpFilter {
	policy := a.Policy
	config := &extauthzv3.ExtAuthz{
		StatPrefix:                level(a.MeshWide),
		TransportApiVersion:       corev3.ApiVersion_V3,
		FailureModeAllow:          policy.FailureModeAllow,
		FailureModeAllowHeaderAdd: policy.FailureModeAllow,
		StatusOnError:             message.Undecided,
	}
	if policy.MaxRequestBytes > 0 {
		config.WithRequestBody = &extauthzv3.BufferSettings{MaxRequestBytes: policy.MaxRequestBytes, AllowPartialMessage: true, PackAsBytes: true}
	}
	if len(policy.RequestHeaders) > 0 {
		config.AllowedHeaders = exactly(policy.RequestHeaders)
	}
	cluster := Cluster(a.MeshWide)
	if a.Service != nil && a.Service.HTTP1 {
		config.Services = &extauthzv3.ExtAuthz_HttpService{HttpService: overHTTP(a, cluster)}
	} else {
		service := message.GRPC(cluster)
		service.Timeout = durationpb.New(policy.Timeout)
		config.Services = &extauthzv3.ExtAuthz_GrpcService{GrpcService: service}
	}
	return message.HTTPFilter(FilterName(a.MeshWide), config)
}

// overHTTP sends requests to a server with HTTP/1.1.
func overHTTP(a *Server, cluster string) *extauthzv3.HttpService {
	service := &extauthzv3.HttpService{
		ServerUri: &corev3.HttpUri{
			Uri:              "http://" + a.Service.Address,
			HttpUpstreamType: &corev3.HttpUri_Cluster{Cluster: cluster},
			Timeout:          durationpb.New(a.Policy.Timeout),
		},
		PathPrefix: a.Policy.PathPrefix,
	}
	if len(a.Policy.ResponseHeaders) > 0 {
		service.AuthorizationResponse = &extauthzv3.AuthorizationResponse{AllowedUpstreamHeaders: exactly(a.Policy.ResponseHeaders)}
	}
	return service
}

// exactly matches names of headers.
func exactly(names []string) *matcherv3.ListStringMatcher {
	return &matcherv3.ListStringMatcher{Patterns: lists.Map(names, message.Exact)}
}

// level distinguishes the policy of the mesh from that of the namespace.
func level(meshWide bool) string {
	if meshWide {
		return "mesh"
	}
	return "namespace"
}

// FilterName is the name of the filter.
func FilterName(meshWide bool) string {
	return ConfiguredFilter + "." + level(meshWide)
}
