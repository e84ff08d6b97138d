package envoy

import (
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	httplimitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/local_ratelimit/v3"
	connectionlimitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/connection_limit/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// metricsTarget matches the only request of the admin interface that scrapers may send. Other queries, such as a filter by a regular
// expression, cost time of Envoy's main thread.
const metricsTarget = `/stats/prometheus(\?usedonly=?)?`

// Limits of the clients of the metrics, who need no certificate. A scrape costs time of Envoy's main thread, which also applies configuration.
const (
	maxMetricsConnections = 256
	// metricsPerSecond is the number of scrapes a second, and metricsBurst how many of them can be at once.
	metricsPerSecond, metricsBurst = 2, 10
	metricsHeadersTimeout          = 5 * time.Second
	metricsStreamIdleTimeout       = 30 * time.Second
	// metricsIdleTimeout ends connections that say nothing too, so a client that holds all connections must open them again and again.
	metricsIdleTimeout = 15 * time.Second
)

// metricsListener serves the sidecar's own metrics in plaintext to any client. It matches the exact path and GET, so
// the rest of the admin interface is not reachable.
func metricsListener(class scope.Class) *listenerv3.Listener {
	out := newBoundListener(prometheusListener, names.PrometheusPort, class, corev3.TrafficDirection_INBOUND)
	out.BypassOverloadManager = true // a sidecar without memory must say so
	connections := &connectionlimitv3.ConnectionLimit{StatPrefix: prometheusListener, MaxConnections: wrapperspb.UInt64(maxMetricsConnections)}
	out.FilterChains = []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{
		message.NetworkFilter("envoy.filters.network.connection_limit", connections), message.NetworkFilter(hcmFilter, metricsConnections()),
	}}}
	return out
}

// metricsConnections has HTTP/1.1 only, so a connection has one request at a time.
func metricsConnections() *hcmv3.HttpConnectionManager {
	return &hcmv3.HttpConnectionManager{
		CodecType:                 hcmv3.HttpConnectionManager_HTTP1,
		StatPrefix:                "prometheus-http-conn-manager",
		InternalAddressConfig:     noInternalAddress,
		RequestHeadersTimeout:     durationpb.New(metricsHeadersTimeout),
		StreamIdleTimeout:         durationpb.New(metricsStreamIdleTimeout),
		CommonHttpProtocolOptions: &corev3.HttpProtocolOptions{IdleTimeout: durationpb.New(metricsIdleTimeout)},
		HttpFilters:               []*hcmv3.HttpFilter{metricsRate(), router},
		RouteSpecifier:            &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: metricsRoutes()},
	}
}

// metricsRate answers 429 to more scrapes.
func metricsRate() *hcmv3.HttpFilter {
	always := &corev3.RuntimeFractionalPercent{DefaultValue: &typev3.FractionalPercent{Numerator: 100}}
	return message.HTTPFilter(httpLimitFilter, &httplimitv3.LocalRateLimit{
		StatPrefix: prometheusListener, FilterEnabled: always, FilterEnforced: always,
		TokenBucket: &typev3.TokenBucket{
			MaxTokens: metricsBurst, TokensPerFill: wrapperspb.UInt32(metricsPerSecond), FillInterval: durationpb.New(time.Second),
		},
	})
}

func metricsRoutes() *routev3.RouteConfiguration {
	// The header has the query too, which matchers of paths ignore.
	target := message.Header(":path", message.Regex(metricsTarget))
	return &routev3.RouteConfiguration{
		Name:             prometheusListener,
		ValidateClusters: wrapperspb.Bool(false),
		VirtualHosts: []*routev3.VirtualHost{{
			Name:    metricsCluster,
			Domains: []string{"*"},
			Routes: []*routev3.Route{{
				Match: &routev3.RouteMatch{
					PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"},
					Headers:       []*routev3.HeaderMatcher{target, methodMatcher([]string{"GET"})},
				},
				Action: &routev3.Route_Route{Route: &routev3.RouteAction{
					ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: metricsCluster},
				}},
			}},
		}},
	}
}
