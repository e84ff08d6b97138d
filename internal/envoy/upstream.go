package envoy

import (
	"cmp"
	"math"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/scope"
)

// limitConnections bounds the connections of a cluster as its Service wants it.
func limitConnections(c *clusterv3.Cluster, up *scope.Upstream) {
	if up == nil {
		return
	}
	limits := up.Connections
	c.ConnectTimeout = durationpb.New(cmp.Or(limits.ConnectTimeout, connectTimeout))
	c.CircuitBreakers = thresholds(limits)
}

// thresholds are a Service's own, and for what it does not bound none. Envoy's own default of 1,024 is a surprise to
// applications that never asked for circuit breaking.
func thresholds(limits catalog.ConnectionSettings) *clusterv3.CircuitBreakers {
	limit := func(value *uint32) *wrapperspb.UInt32Value {
		if value == nil {
			return wrapperspb.UInt32(math.MaxUint32)
		}
		return wrapperspb.UInt32(*value)
	}
	return &clusterv3.CircuitBreakers{Thresholds: []*clusterv3.CircuitBreakers_Thresholds{{
		Priority:           corev3.RoutingPriority_DEFAULT,
		MaxConnections:     limit(limits.MaxConnections),
		MaxPendingRequests: limit(limits.MaxPendingRequests),
		MaxRequests:        limit(limits.MaxRequests),
		MaxRetries:         limit(limits.MaxRetries),
		TrackRemaining:     true,
	}}}
}

// noLimits are the thresholds of clusters that nobody has bounded.
var noLimits = thresholds(catalog.ConnectionSettings{})

// upstreamHTTP makes HTTP connections speak the version that the client spoke, so that gRPC stays HTTP/2, and live as long as the
// Service wants it.
func upstreamHTTP(p catalog.Protocol, up *scope.Upstream) map[string]*anypb.Any {
	if !p.IsHTTP() {
		return nil
	}
	options := sameVersion
	if up != nil && (up.Connections.MaxRequestsPerConnection != nil || up.Connections.HTTPIdleTimeout > 0) {
		options = &httpv3.HttpProtocolOptions{CommonHttpProtocolOptions: &corev3.HttpProtocolOptions{
			IdleTimeout:              durationUnlessZero(up.Connections.HTTPIdleTimeout),
			MaxRequestsPerConnection: optional(up.Connections.MaxRequestsPerConnection),
		}}
		proto.Merge(options, sameVersion)
	}
	return map[string]*anypb.Any{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": packed(options)}
}

var sameVersion = &httpv3.HttpProtocolOptions{
	UpstreamProtocolOptions: &httpv3.HttpProtocolOptions_UseDownstreamProtocolConfig{
		UseDownstreamProtocolConfig: &httpv3.HttpProtocolOptions_UseDownstreamHttpConfig{
			HttpProtocolOptions:  &corev3.Http1ProtocolOptions{},
			Http2ProtocolOptions: &corev3.Http2ProtocolOptions{},
		},
	},
}

// ejectFailing leaves out endpoints that fail in a row: with an answer of 500 or more, by breaking the connection, or by not
// letting one stand. One of them may always be left out; Envoy's limit of 10 % alone would spare the endpoints of small Services.
func ejectFailing(o *catalog.OutlierDetection) *clusterv3.OutlierDetection {
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

// requestTimeout bounds a request up to the end of its answer; 0 does not. The application knows how long an answer may take,
// Envoy's default of 15 seconds does not.
func requestTimeout(up *scope.Upstream) time.Duration {
	if up == nil {
		return 0
	}
	return up.Connections.RequestTimeout
}

// tcpIdle is how long a TCP connection may be silent; 0 is Envoy's hour.
func tcpIdle(up *scope.Upstream) time.Duration {
	if up == nil {
		return 0
	}
	return up.Connections.TCPIdleTimeout
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
