package envoy

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/names"
	"github.com/openservicemesh/osm-operator/internal/scope"
)

// metricsPath is the one path of the admin interface that scrapers may read.
const metricsPath = "/stats/prometheus"

// metricsDoor serves the sidecar's own metrics, over plaintext, to whoever asks. The path is compared as a whole and only
// GET passes, so nothing else of the admin interface is reachable.
func metricsDoor(class scope.Class) *listenerv3.Listener {
	out := bound(prometheusListener, names.PrometheusPort, class, corev3.TrafficDirection_INBOUND)
	out.FilterChains = []*listenerv3.FilterChain{{
		Filters: []*listenerv3.Filter{networkFilter(hcmFilter, &hcmv3.HttpConnectionManager{
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
