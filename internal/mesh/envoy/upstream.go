package envoy

import (
	"cmp"
	"math"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	healthv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/health_check/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// applyConnectionSettings bounds the connections of a cluster by the settings of its Service.
func applyConnectionSettings(c *clusterv3.Cluster, up *scope.Upstream) {
	if up == nil {
		return
	}
	limits := up.Connections
	if limits.ConnectTimeout > 0 {
		c.ConnectTimeout = durationpb.New(limits.ConnectTimeout)
	}
	c.CircuitBreakers = circuitBreakers(limits)
}

// circuitBreakers are the limits of a Service, and no limit where it sets none. Envoy's default of 1,024 would limit applications without
// a circuit breaker.
func circuitBreakers(limits upstream.ConnectionSettings) *clusterv3.CircuitBreakers {
	limit := func(value *uint32) *wrapperspb.UInt32Value {
		if value == nil {
			return wrapperspb.UInt32(math.MaxUint32)
		}
		return wrapperspb.UInt32(*value)
	}
	thresholds := &clusterv3.CircuitBreakers_Thresholds{
		Priority:           corev3.RoutingPriority_DEFAULT,
		MaxConnections:     limit(limits.MaxConnections),
		MaxPendingRequests: limit(limits.MaxPendingRequests),
		MaxRequests:        limit(limits.MaxRequests),
	}
	if limits.MaxRetries != nil {
		thresholds.MaxRetries = limit(limits.MaxRetries)
	} else {
		thresholds.RetryBudget = retryBudget
	}
	return &clusterv3.CircuitBreakers{Thresholds: []*clusterv3.CircuitBreakers_Thresholds{thresholds}}
}

// retryBudget bounds retries in progress by a share of the requests in progress, in percent. Without a bound, each client triples its attempts in an
// outage. When a peer vanishes, all requests that wait for a connection to it fail together: the least number lets them be repeated.
var retryBudget = &clusterv3.CircuitBreakers_Thresholds_RetryBudget{
	BudgetPercent: &typev3.Percent{Value: 20}, MinRetryConcurrency: wrapperspb.UInt32(100),
}

// noLimits disables the circuit breakers of a cluster.
var noLimits = circuitBreakers(upstream.ConnectionSettings{})

// sidecarHTTP is for connections to other sidecars, which answer pings. Their servers get the version of HTTP that is given, if any.
func sidecarHTTP(p inventory.Protocol, version scope.HTTPVersion, up *scope.Upstream) map[string]*anypb.Any {
	if !p.IsHTTP() {
		return nil
	}
	options := downstreamHTTPVersion(http2Pings)
	if version != "" {
		options = explicitHTTPVersion(version, http2Pings)
	}
	return withLifetime(options, upstream.MaxIdleTimeout, up)
}

// applicationIdleTimeout is how long an idle connection to the application is kept. Servers close theirs after 2 to 5 seconds, sometimes just as
// the next request arrives, and only requests without side effects can be repeated then.
const applicationIdleTimeout = 1500 * time.Millisecond

// The sidecar of an application accepts all headers of its responses that Envoy can. A response that it refused would look like a connection that the
// application has closed, and the sidecar would make the application execute a request without side effects again. Clients reject what is too much
// for them.
const (
	maxApplicationHeaders   = 100_000
	maxApplicationHeadersKB = 8192
)

// applicationHTTP is for connections to the application of the pod.
func applicationHTTP(p inventory.Protocol) map[string]*anypb.Any {
	if !p.IsHTTP() {
		return nil
	}
	options := downstreamHTTPVersion(nil)
	options.GetUseDownstreamProtocolConfig().Http2ProtocolOptions = localStreams
	options.CommonHttpProtocolOptions = &corev3.HttpProtocolOptions{
		IdleTimeout:          durationpb.New(applicationIdleTimeout),
		MaxHeadersCount:      wrapperspb.UInt32(maxApplicationHeaders),
		MaxResponseHeadersKb: wrapperspb.UInt32(maxApplicationHeadersKB),
	}
	return map[string]*anypb.Any{message.HTTPProtocolOptions: message.Any(options)}
}

// withLifetime sets the connection lifetime that the Service sets, and a bound of its idle timeout; 0 is none.
func withLifetime(options *httpv3.HttpProtocolOptions, idle time.Duration, up *scope.Upstream) map[string]*anypb.Any {
	settings := connectionsOf(up)
	if configured := settings.HTTPIdleTimeout; configured > 0 && (idle == 0 || configured < idle) {
		idle = configured
	}
	if settings.MaxRequestsPerConnection != nil || idle > 0 {
		options.CommonHttpProtocolOptions = &corev3.HttpProtocolOptions{
			IdleTimeout: durationUnlessZero(idle), MaxRequestsPerConnection: optional(settings.MaxRequestsPerConnection),
		}
	}
	return map[string]*anypb.Any{message.HTTPProtocolOptions: message.Any(options)}
}

// withTrailers forwards the trailers of HTTP/1.1, as of HTTP/2.
var withTrailers = &corev3.Http1ProtocolOptions{EnableTrailers: true}

// downstreamHTTPVersion uses the HTTP version of the client's request, so that gRPC stays HTTP/2.
func downstreamHTTPVersion(pings *corev3.KeepaliveSettings) *httpv3.HttpProtocolOptions {
	return &httpv3.HttpProtocolOptions{
		UpstreamProtocolOptions: &httpv3.HttpProtocolOptions_UseDownstreamProtocolConfig{
			UseDownstreamProtocolConfig: &httpv3.HttpProtocolOptions_UseDownstreamHttpConfig{
				HttpProtocolOptions:  withTrailers,
				Http2ProtocolOptions: boundedStreams(pings),
			},
		},
	}
}

func explicitHTTPVersion(version scope.HTTPVersion, pings *corev3.KeepaliveSettings) *httpv3.HttpProtocolOptions {
	explicit := &httpv3.HttpProtocolOptions_ExplicitHttpConfig{}
	if version == scope.HTTP2 {
		explicit.ProtocolConfig = &httpv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{
			Http2ProtocolOptions: boundedStreams(pings),
		}
	} else {
		explicit.ProtocolConfig = &httpv3.HttpProtocolOptions_ExplicitHttpConfig_HttpProtocolOptions{HttpProtocolOptions: withTrailers}
	}
	return &httpv3.HttpProtocolOptions{UpstreamProtocolOptions: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_{ExplicitHttpConfig: explicit}}
}

// ejectUnreachable ejects endpoints to which connections fail, for 10 seconds at first and at most half of them. When a node dies, its pods remain
// endpoints for most of a minute. Responses of an application never eject it.
var ejectUnreachable = &clusterv3.OutlierDetection{
	SplitExternalLocalOriginErrors:  true,
	ConsecutiveLocalOriginFailure:   wrapperspb.UInt32(5),
	EnforcingLocalOriginSuccessRate: wrapperspb.UInt32(0),
	EnforcingConsecutive_5Xx:        wrapperspb.UInt32(0),
	EnforcingSuccessRate:            wrapperspb.UInt32(0),
	BaseEjectionTime:                durationpb.New(10 * time.Second),
	MaxEjectionTime:                 durationpb.New(time.Minute),
	MaxEjectionPercent:              wrapperspb.UInt32(50),
}

// outlierDetection ejects endpoints after consecutive failures: responses of 500 or more, broken connections and
// failed connection attempts. One endpoint may always be ejected; Envoy's limit of 10 % alone would never eject
// endpoints of small Services.
func outlierDetection(o *upstream.OutlierDetection) *clusterv3.OutlierDetection {
	if o == nil {
		return nil
	}
	return &clusterv3.OutlierDetection{
		Consecutive_5Xx:      uint32UnlessZero(o.ConsecutiveErrors),
		Interval:             durationUnlessZero(o.Interval),
		BaseEjectionTime:     durationUnlessZero(o.BaseEjectionTime),
		MaxEjectionPercent:   optional(o.MaxEjectionPercent),
		EnforcingSuccessRate: wrapperspb.UInt32(0),
		AlwaysEjectOneHost:   wrapperspb.Bool(true),
	}
}

// requestTimeout bounds a request up to the end of its response; 0 means no limit. Envoy's default of 15 s would break
// applications that take longer.
func requestTimeout(up *scope.Upstream) time.Duration {
	return connectionsOf(up).RequestTimeout
}

// tcpIdleTimeout is how long a TCP connection may be idle; 0 is Envoy's default of an hour.
func tcpIdleTimeout(up *scope.Upstream) time.Duration {
	return connectionsOf(up).TCPIdleTimeout
}

func connectionsOf(up *scope.Upstream) upstream.ConnectionSettings {
	if up == nil {
		return upstream.ConnectionSettings{}
	}
	return up.Connections
}

func optional(value *uint32) *wrapperspb.UInt32Value {
	if value == nil {
		return nil
	}
	return wrapperspb.UInt32(*value)
}

func uint32UnlessZero(value uint32) *wrapperspb.UInt32Value {
	if value == 0 {
		return nil
	}
	return wrapperspb.UInt32(value)
}

func durationUnlessZero(d time.Duration) *durationpb.Duration {
	if d == 0 {
		return nil
	}
	return durationpb.New(d)
}

// Defaults of health checks, as in OSM.
const (
	healthPath               = "/healthz/osm"
	healthHeader             = "x-osm-envoy-healthcheck"
	healthTimeout            = time.Second
	healthUnhealthyThreshold = 3
	healthHealthyThreshold   = 1
	healthJitterPercent      = 10
)

// healthChecks make the client's sidecar check the server's sidecar over mTLS; the application receives no checks. TCP
// ports have a separate filter chain for them: some servers count a forwarded connection as an error and block the
// client.
func healthChecks(c scope.Cluster) []*corev3.HealthCheck {
	if c.Upstream == nil || c.Upstream.HealthCheck == nil {
		return nil
	}
	h, alpn := c.Upstream.HealthCheck, meshALPN
	interval := durationpb.New(h.EffectiveInterval())
	if !c.Protocol.IsHTTP() {
		alpn = healthALPN
	}
	return []*corev3.HealthCheck{{
		Timeout:  durationpb.New(cmp.Or(h.Timeout, healthTimeout)),
		Interval: interval,
		// With Envoy's default of a minute, a check that failed before the server had its policy would count for that long.
		NoTrafficInterval: interval,
		// Clients that got one push would check together for ever. The first check has no jitter: a cluster is used only after it.
		IntervalJitterPercent: healthJitterPercent,
		UnhealthyThreshold:    wrapperspb.UInt32(cmp.Or(h.UnhealthyThreshold, healthUnhealthyThreshold)),
		HealthyThreshold:      wrapperspb.UInt32(cmp.Or(h.HealthyThreshold, healthHealthyThreshold)),
		TlsOptions:            &corev3.HealthCheck_TlsOptions{AlpnProtocols: []string{alpn}},
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
		message.Header(":path", message.Exact(healthPath)),
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
