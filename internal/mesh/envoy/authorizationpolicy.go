package envoy

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extauthzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// policyAuthorization is the filter for the server of an ExternalAuthorization. Filter and cluster have the same names for every policy,
// so connections that are drained after a change use the current server.
func policyAuthorization(a scope.Authorization) *hcmv3.HttpFilter {
	policy := a.Policy
	config := &extauthzv3.ExtAuthz{
		StatPrefix:                authorizationLevel(a.MeshWide),
		TransportApiVersion:       corev3.ApiVersion_V3,
		FailureModeAllow:          policy.FailureModeAllow,
		FailureModeAllowHeaderAdd: policy.FailureModeAllow,
		StatusOnError:             undecided,
	}
	if policy.MaxRequestBytes > 0 {
		config.WithRequestBody = &extauthzv3.BufferSettings{MaxRequestBytes: policy.MaxRequestBytes, AllowPartialMessage: true, PackAsBytes: true}
	}
	if len(policy.RequestHeaders) > 0 {
		config.AllowedHeaders = exactly(policy.RequestHeaders)
	}
	cluster := PolicyAuthorizationCluster(a.MeshWide)
	if a.Service != nil && a.Service.HTTP1 {
		config.Services = &extauthzv3.ExtAuthz_HttpService{HttpService: authorizationHTTP(a, cluster)}
	} else {
		config.Services = &extauthzv3.ExtAuthz_GrpcService{GrpcService: &corev3.GrpcService{
			TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: cluster}},
			Timeout:         durationpb.New(policy.Timeout),
		}}
	}
	return message.HTTPFilter(policyAuthorizationFilter(a.MeshWide), config)
}

// authorizationHTTP sends requests to a server with HTTP/1.1.
func authorizationHTTP(a scope.Authorization, cluster string) *extauthzv3.HttpService {
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
	list := &matcherv3.ListStringMatcher{}
	for _, name := range names {
		list.Patterns = append(list.Patterns, message.Exact(name))
	}
	return list
}

// authorizationLevel distinguishes the policy of the mesh from that of the namespace.
func authorizationLevel(meshWide bool) string {
	if meshWide {
		return "mesh"
	}
	return "namespace"
}

func policyAuthorizationFilter(meshWide bool) string {
	return extAuthzFilter + "." + authorizationLevel(meshWide)
}
