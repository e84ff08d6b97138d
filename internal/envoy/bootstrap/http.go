package bootstrap

import (
	"time"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/envoy/message"
)

// httpConnectionManagerFilter answers the listed paths and nothing else. Its listeners are open to the whole cluster.
func httpConnectionManagerFilter(statPrefix string, routes []*routev3.Route, filters ...*hcmv3.HttpFilter) *listenerv3.Filter {
	return message.NetworkFilter("http_connection_manager", connectionManager(statPrefix, routes, filters...))
}

func connectionManager(statPrefix string, routes []*routev3.Route, filters ...*hcmv3.HttpFilter) *hcmv3.HttpConnectionManager {
	router := message.HTTPFilter("http_router", &routerv3.Router{SuppressEnvoyHeaders: true})
	return &hcmv3.HttpConnectionManager{
		StatPrefix:        statPrefix,
		GenerateRequestId: wrapperspb.Bool(false),
		RouteSpecifier: &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: &routev3.RouteConfiguration{
			VirtualHosts: []*routev3.VirtualHost{{Name: "local_service", Domains: []string{"*"}, Routes: routes}},
		}},
		HttpFilters: append(filters, router),
	}
}

// pathRoute forwards one exact path to a cluster under another path.
func pathRoute(match, cluster, rewrite string, timeout time.Duration) *routev3.Route {
	return &routev3.Route{
		Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Path{Path: match}},
		Action: &routev3.Route_Route{Route: &routev3.RouteAction{
			ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: cluster},
			PrefixRewrite:    rewrite,
			Timeout:          durationpb.New(timeout),
		}},
		// The kubelet follows redirects to the same host, where no other path exists. Without a location it counts
		// the redirect as success.
		ResponseHeadersToRemove: []string{"location"},
	}
}
