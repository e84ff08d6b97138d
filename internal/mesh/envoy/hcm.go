package envoy

import (
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	httprbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// HTTP filters with a fixed configuration.
var (
	requestRBACFilter = message.HTTPFilter(httpRBACFilter, &httprbacv3.RBAC{})
	router            = message.HTTPFilter(routerFilter, &routerv3.Router{})
)

// inboundHTTP handles requests from other workloads.
func inboundHTTP(s *scope.Scope, routeConfig string, limits *scope.Limits) *listenerv3.Filter {
	hcm := serverConnectionManager(s, routeConfig)
	hcm.HttpFilters = slices.Concat(
		// The rules of RBAC come with the virtual host, so a path without a route is answered with 404 instead of 403.
		[]*hcmv3.HttpFilter{healthCheckFilter, requestRBACFilter},
		// After RBAC: requests that policies deny cost the authorization server nothing.
		externalAuthorization(s),
		// Last, so that denied requests do not use up the limit.
		[]*hcmv3.HttpFilter{requestLimitFilter},
		globalRequestLimit(limits),
		[]*hcmv3.HttpFilter{router},
	)
	return message.NetworkFilter(hcmFilter, hcm)
}

// serverConnectionManager normalizes paths before matching and rejects ambiguous ones: "/public/..%2Fadmin" could be one path for the
// policy and another for the application.
func serverConnectionManager(s *scope.Scope, routeConfig string) *hcmv3.HttpConnectionManager {
	hcm := connectionManager(s, routeConfig)
	hcm.NormalizePath = wrapperspb.Bool(true)
	hcm.MergeSlashes = true
	hcm.PathWithEscapedSlashesAction = hcmv3.HttpConnectionManager_REJECT_REQUEST
	hcm.CommonHttpProtocolOptions = &corev3.HttpProtocolOptions{
		HeadersWithUnderscoresAction: corev3.HttpProtocolOptions_REJECT_REQUEST,
	}
	hcm.AccessLog = loggersOf(s).inboundRequests
	return hcm
}

// outboundHTTP handles requests of the local application. It leaves paths unchanged, because the server's sidecar
// authorizes them.
func outboundHTTP(s *scope.Scope, routeConfig string) *listenerv3.Filter {
	hcm := connectionManager(s, routeConfig)
	hcm.HttpFilters = []*hcmv3.HttpFilter{router}
	return message.NetworkFilter(hcmFilter, hcm)
}

// connectionManager is the configuration that both directions share. No address counts as internal, so Envoy removes
// x-envoy- headers, with which a client could change timeouts, retries or statistics. It also removes the client
// certificate header. x-forwarded-proto and x-request-id pass, because a gateway in front of the mesh may set them.
func connectionManager(s *scope.Scope, routeConfig string) *hcmv3.HttpConnectionManager {
	return &hcmv3.HttpConnectionManager{
		StatPrefix:               "mesh-http-conn-manager." + routeConfig,
		CodecType:                hcmv3.HttpConnectionManager_AUTO,
		ForwardClientCertDetails: hcmv3.HttpConnectionManager_SANITIZE,
		InternalAddressConfig:    &hcmv3.HttpConnectionManager_InternalAddressConfig{},
		GenerateRequestId:        wrapperspb.Bool(true),
		// Envoy's default ends a request after five minutes without data: quiet gRPC streams and WebSockets, slow answers.
		StreamIdleTimeout: durationpb.New(0),
		AccessLog:         loggersOf(s).outboundRequests,
		Tracing:           tracing(s.Tracing),
		UpgradeConfigs:    []*hcmv3.HttpConnectionManager_UpgradeConfig{{UpgradeType: "websocket"}},
		RouteSpecifier: &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{
			ConfigSource:    ads,
			RouteConfigName: routeConfig,
		}},
	}
}
