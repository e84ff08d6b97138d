package envoy

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// metricsPath is the only path of the admin interface that scrapers may read.
const metricsPath = "/stats/prometheus"

// metricsListener serves the sidecar's own metrics in plaintext to any client. It matches the exact path and GET, so
// the rest of the admin interface is not reachable.
func metricsListener(class scope.Class) *listenerv3.Listener {
	out := newBoundListener(prometheusListener, names.PrometheusPort, class, corev3.TrafficDirection_INBOUND)
	out.FilterChains = []*listenerv3.FilterChain{{
		Filters: []*listenerv3.Filter{message.NetworkFilter(hcmFilter, &hcmv3.HttpConnectionManager{
			StatPrefix:            "prometheus-http-conn-manager",
			InternalAddressConfig: &hcmv3.HttpConnectionManager_InternalAddressConfig{},
			HttpFilters:           []*hcmv3.HttpFilter{router},
			RouteSpecifier:        &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: metricsRoutes()},
		})},
	}}
	return out
}

func metricsRoutes() *routev3.RouteConfiguration {
	return &routev3.RouteConfiguration{
		Name:             prometheusListener,
		ValidateClusters: wrapperspb.Bool(false),
		VirtualHosts: []*routev3.VirtualHost{{
			Name:    metricsCluster,
			Domains: []string{"*"},
			Routes: []*routev3.Route{{
				Match: &routev3.RouteMatch{
					PathSpecifier: &routev3.RouteMatch_Path{Path: metricsPath},
					Headers:       []*routev3.HeaderMatcher{methodMatcher([]string{"GET"})},
				},
				Action: &routev3.Route_Route{Route: &routev3.RouteAction{
					ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: metricsCluster},
				}},
			}},
		}},
	}
}
