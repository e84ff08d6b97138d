package envoy

import (
	"cmp"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	healthv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/health_check/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Defaults of health checks, as in OSM.
const (
	healthPath               = "/healthz/osm"
	healthHeader             = "x-osm-envoy-healthcheck"
	healthTimeout            = time.Second
	healthInterval           = 10 * time.Second
	healthUnhealthyThreshold = 3
	healthHealthyThreshold   = 1
)

// healthChecks make the client's sidecar check the server's sidecar over mTLS; the application receives no checks. TCP
// ports have a separate filter chain for them: some servers count a forwarded connection as an error and block the
// client.
func healthChecks(c scope.Cluster) []*corev3.HealthCheck {
	if c.Upstream == nil || c.Upstream.HealthCheck == nil {
		return nil
	}
	h, alpn := c.Upstream.HealthCheck, meshALPN
	interval := durationpb.New(cmp.Or(h.Interval, healthInterval))
	if !c.Protocol.IsHTTP() {
		alpn = healthALPN
	}
	return []*corev3.HealthCheck{{
		Timeout:  durationpb.New(cmp.Or(h.Timeout, healthTimeout)),
		Interval: interval,
		// With Envoy's default of a minute, a check that failed before the server had its policy would count for that long.
		NoTrafficInterval:  interval,
		UnhealthyThreshold: wrapperspb.UInt32(cmp.Or(h.UnhealthyThreshold, healthUnhealthyThreshold)),
		HealthyThreshold:   wrapperspb.UInt32(cmp.Or(h.HealthyThreshold, healthHealthyThreshold)),
		TlsOptions:         &corev3.HealthCheck_TlsOptions{AlpnProtocols: []string{alpn}},
		HealthChecker: &corev3.HealthCheck_HttpHealthCheck_{HttpHealthCheck: &corev3.HealthCheck_HttpHealthCheck{
			Host: names.ServiceHost(c.Service.Name, c.Service.Namespace),
			Path: healthPath,
			RequestHeadersToAdd: []*corev3.HeaderValueOption{{
				Header: &corev3.HeaderValue{Key: healthHeader, Value: "1"},
			}},
		}},
	}}
}

// healthCheckFilter answers health checks before any other filter handles the request.
var healthCheckFilter = message.HTTPFilter(healthFilter, &healthv3.HealthCheck{
	PassThroughMode: wrapperspb.Bool(false),
	Headers: []*routev3.HeaderMatcher{
		headerMatcher(":path", message.Exact(healthPath)),
		{Name: healthHeader, HeaderMatchSpecifier: &routev3.HeaderMatcher_PresentMatch{PresentMatch: true}},
	},
})

// healthChain answers the health checks of a TCP port and nothing else. Every client of the mesh may send them: the
// answer reveals only that there is a sidecar.
func healthChain(in inboundPort, tls *corev3.TransportSocket) *listenerv3.FilterChain {
	chain := &listenerv3.FilterChain{
		Name:             healthChainName(in),
		FilterChainMatch: inboundMatch(in, healthALPN),
		TransportSocket:  tls,

		TransportSocketConnectTimeout: handshakeTimeout,
	}
	chain.Filters = []*listenerv3.Filter{message.NetworkFilter(hcmFilter, &hcmv3.HttpConnectionManager{
		StatPrefix:     "health",
		HttpFilters:    []*hcmv3.HttpFilter{healthCheckFilter, router},
		RouteSpecifier: &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: &routev3.RouteConfiguration{Name: healthFilter}},
	})}
	return chain
}
