package envoy

import (
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	httplimitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/local_ratelimit/v3"
	netlimitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/local_ratelimit/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// limitPrefix is OSM's statistics prefix of rate limits.
const limitPrefix = "http_local_rate_limiter"

// unlimitedFillInterval is the fill interval of the token bucket of a disabled limit, which Envoy requires.
const unlimitedFillInterval = time.Second

// anyPath is the path with which OSM users configure the limit of a Service without routes.
const anyPath = ".*"

// requestLimitFilter has no token bucket and limits nothing by itself; routes and virtual hosts bring their own. Every
// HTTP port has the filter, so adding or removing a limit does not change the listener.
var requestLimitFilter = message.HTTPFilter(httpLimitFilter, &httplimitv3.LocalRateLimit{StatPrefix: limitPrefix})

// limitRequests bounds the requests of a route or virtual host at this pod, for all clients together.
func limitRequests(limit *catalog.RequestRateLimit) *anypb.Any {
	config := &httplimitv3.LocalRateLimit{
		StatPrefix:     limitPrefix,
		Status:         &typev3.HttpStatus{Code: rateLimitStatus(limit.Status)},
		TokenBucket:    tokenBucket(limit.RateLimit),
		FilterEnabled:  runtimeAlways("local_rate_limit_enabled"),
		FilterEnforced: runtimeAlways("local_rate_limit_enforced"),
	}
	config.ResponseHeadersToAdd = []*corev3.HeaderValueOption{rateLimitedHeader}
	for _, h := range limit.Headers {
		config.ResponseHeadersToAdd = append(config.ResponseHeadersToAdd, &corev3.HeaderValueOption{
			Header: &corev3.HeaderValue{Key: h.Name, Value: h.Value},
		})
	}
	return message.Any(config)
}

// rateLimitStatus is the status of requests above a limit. Envoy rejects status codes that it has no name for.
func rateLimitStatus(status uint32) typev3.StatusCode {
	if _, known := typev3.StatusCode_name[int32(status)]; known && status != 0 {
		return typev3.StatusCode(status)
	}
	return typev3.StatusCode_TooManyRequests
}

// portRequestLimit is the limit of all requests to a port that have no route limit; nil without one.
func portRequestLimit(limits *scope.Limits) *catalog.RequestRateLimit {
	if limits == nil {
		return nil
	}
	return limits.Requests
}

// routeLimit is the limit of the route whose path expression is identical; nil without one. It replaces the limit of
// the port.
func routeLimit(limits *scope.Limits, path string) *catalog.RequestRateLimit {
	if limits == nil {
		return nil
	}
	if path == "" {
		path = anyPath
	}
	for i := range limits.Routes {
		if limits.Routes[i].Path == path {
			return &limits.Routes[i].Limit
		}
	}
	return nil
}

// connectionLimit bounds new connections to a port of this pod, for all clients together. Envoy takes a token before
// the handshake, so connections that are denied later take one too.
func connectionLimit(in inboundPort) *corev3.TypedExtensionConfig {
	config := &netlimitv3.LocalRateLimit{
		StatPrefix:     connectionLimitFilter,
		RuntimeEnabled: &corev3.RuntimeFeatureFlag{DefaultValue: wrapperspb.Bool(false), RuntimeKey: "l4_local_rate_limit_enabled"},
		TokenBucket:    tokenBucket(catalog.RateLimit{Tokens: 1, Interval: unlimitedFillInterval}),
	}
	if limits := in.Limits; limits != nil && limits.Connections != nil {
		config.RuntimeEnabled.DefaultValue = wrapperspb.Bool(true)
		config.TokenBucket = tokenBucket(*limits.Connections)
	}
	return message.Extension(connectionLimitName(in), config)
}

// rateLimitedHeader keeps clients' sidecars from retrying a request above a limit, whatever its status. The retry
// condition envoy-ratelimited overrides it.
var rateLimitedHeader = &corev3.HeaderValueOption{
	Header:       &corev3.HeaderValue{Key: "x-envoy-ratelimited", Value: "true"},
	AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
}

func tokenBucket(r catalog.RateLimit) *typev3.TokenBucket {
	return &typev3.TokenBucket{
		MaxTokens:     r.Tokens + r.Burst,
		TokensPerFill: wrapperspb.UInt32(r.Tokens),
		FillInterval:  durationpb.New(r.Interval),
	}
}

func runtimeAlways(key string) *corev3.RuntimeFractionalPercent {
	return &corev3.RuntimeFractionalPercent{
		DefaultValue: &typev3.FractionalPercent{Numerator: 100, Denominator: typev3.FractionalPercent_HUNDRED},
		RuntimeKey:   key,
	}
}
