package envoy

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	httprbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// The HTTP filters, each the same everywhere.
var (
	requestRules = httpFilter(httpRBACFilter, &httprbacv3.RBAC{})
	router       = httpFilter(routerFilter, &routerv3.Router{})
)

// inboundHTTP reads requests of other workloads. Paths are brought into one form before they are matched, and what could be
// read in two ways is rejected: otherwise "/public/..%2Fadmin" would be one path to the policy and another to the application.
func inboundHTTP(routeConfig string) *listenerv3.Filter {
	hcm := connectionManager(routeConfig)
	hcm.NormalizePath = wrapperspb.Bool(true)
	hcm.MergeSlashes = true
	hcm.PathWithEscapedSlashesAction = hcmv3.HttpConnectionManager_REJECT_REQUEST
	hcm.CommonHttpProtocolOptions = &corev3.HttpProtocolOptions{
		HeadersWithUnderscoresAction: corev3.HttpProtocolOptions_REJECT_REQUEST,
	}
	hcm.AccessLog = requestLog
	hcm.HttpFilters = []*hcmv3.HttpFilter{
		healthAnswer,
		// Without rules of its own the filter does nothing; the rules come with a route, so that a path which no route
		// knows is not found rather than forbidden.
		requestRules,
		// What is forbidden does not use up what others may send.
		requestLimits,
		router,
	}
	return networkFilter(hcmFilter, hcm)
}

// outboundHTTP reads requests of the own application and leaves them as they are: the server's sidecar judges them.
func outboundHTTP(routeConfig string) *listenerv3.Filter {
	hcm := connectionManager(routeConfig)
	hcm.HttpFilters = []*hcmv3.HttpFilter{router}
	return networkFilter(hcmFilter, hcm)
}

// connectionManager is what both directions share. No address counts as internal, so Envoy removes the x-envoy- headers by
// which a client could change timeouts, retries or statistics; the header with the client's certificate is removed too.
// x-forwarded-proto and x-request-id pass, because they may come from a gateway in front of the mesh.
func connectionManager(routeConfig string) *hcmv3.HttpConnectionManager {
	return &hcmv3.HttpConnectionManager{
		StatPrefix:               "mesh-http-conn-manager." + routeConfig,
		CodecType:                hcmv3.HttpConnectionManager_AUTO,
		ForwardClientCertDetails: hcmv3.HttpConnectionManager_SANITIZE,
		InternalAddressConfig:    &hcmv3.HttpConnectionManager_InternalAddressConfig{},
		GenerateRequestId:        wrapperspb.Bool(true),
		AccessLog:                accessLog,
		UpgradeConfigs:           []*hcmv3.HttpConnectionManager_UpgradeConfig{{UpgradeType: "websocket"}},
		RouteSpecifier: &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{
			ConfigSource:    ads,
			RouteConfigName: routeConfig,
		}},
	}
}

func httpFilter(name string, config proto.Message) *hcmv3.HttpFilter {
	return &hcmv3.HttpFilter{
		Name:       name,
		ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: packed(config)},
	}
}

func networkFilter(name string, config proto.Message) *listenerv3.Filter {
	return &listenerv3.Filter{
		Name:       name,
		ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: packed(config)},
	}
}
