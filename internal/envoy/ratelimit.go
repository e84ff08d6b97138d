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

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/scope"
)

// limitPrefix is OSM's prefix of the statistics of rate limits.
const limitPrefix = "http_local_rate_limiter"

// noInterval fills the bucket of a limit that is off.
const noInterval = time.Second

// anyPath is how OSM's users write the route of a Service without routes of its own.
const anyPath = ".*"

// requestLimits is without a bucket of its own, so it limits nothing; buckets come with the routes. Every HTTP port has the filter,
// so that a limit that comes or goes does not touch the listener.
var requestLimits = httpFilter(httpLimitFilter, &httplimitv3.LocalRateLimit{StatPrefix: limitPrefix})

// limitRequests bounds the requests of a route or a virtual host at this pod, of all clients together.
func limitRequests(limit *catalog.RequestRateLimit) *anypb.Any {
	config := &httplimitv3.LocalRateLimit{
		StatPrefix:     limitPrefix,
		Status:         &typev3.HttpStatus{Code: tooMany(limit.Status)},
		TokenBucket:    bucket(limit.RateLimit),
		FilterEnabled:  always("local_rate_limit_enabled"),
		FilterEnforced: always("local_rate_limit_enforced"),
	}
	config.ResponseHeadersToAdd = []*corev3.HeaderValueOption{notAgain}
	for _, h := range limit.Headers {
		config.ResponseHeadersToAdd = append(config.ResponseHeadersToAdd, &corev3.HeaderValueOption{
			Header: &corev3.HeaderValue{Key: h.Name, Value: h.Value},
		})
	}
	return packed(config)
}

// tooMany is the status of the answer to what exceeds a limit. Envoy knows only the codes that have a name, and refuses others.
func tooMany(status uint32) typev3.StatusCode {
	if _, known := typev3.StatusCode_name[int32(status)]; known && status != 0 {
		return typev3.StatusCode(status)
	}
	return typev3.StatusCode_TooManyRequests
}

// hostLimit is the limit of all requests to a port that have no limit of their own; nil without one.
func hostLimit(limits *scope.Limits) *catalog.RequestRateLimit {
	if limits == nil {
		return nil
	}
	return limits.Requests
}

// routeLimit is the limit of the routes whose path expression is the same, letter by letter; nil without one. It takes the place
// of that of the host.
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

// connectionLimit bounds new connections to a port of this pod, of all clients together. Envoy takes a token when the connection
// arrives, before the handshake: what is refused later has taken one too.
func connectionLimit(in inboundPort) *corev3.TypedExtensionConfig {
	config := &netlimitv3.LocalRateLimit{
		StatPrefix:     connectionLimitFilter,
		RuntimeEnabled: &corev3.RuntimeFeatureFlag{DefaultValue: wrapperspb.Bool(false), RuntimeKey: "l4_local_rate_limit_enabled"},
		TokenBucket:    bucket(catalog.RateLimit{Tokens: 1, Interval: noInterval}),
	}
	if limits := in.Limits; limits != nil && limits.Connections != nil {
		config.RuntimeEnabled.DefaultValue = wrapperspb.Bool(true)
		config.TokenBucket = bucket(*limits.Connections)
	}
	return &corev3.TypedExtensionConfig{Name: connectionLimitName(in), TypedConfig: packed(config)}
}

// notAgain keeps the sidecars of clients from repeating what is over a limit, whatever its status; Envoy's condition
// envoy-ratelimited repeats it all the same.
var notAgain = &corev3.HeaderValueOption{
	Header:       &corev3.HeaderValue{Key: "x-envoy-ratelimited", Value: "true"},
	AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
}

func bucket(r catalog.RateLimit) *typev3.TokenBucket {
	return &typev3.TokenBucket{
		MaxTokens:     r.Tokens + r.Burst,
		TokensPerFill: wrapperspb.UInt32(r.Tokens),
		FillInterval:  durationpb.New(r.Interval),
	}
}

func always(key string) *corev3.RuntimeFractionalPercent {
	return &corev3.RuntimeFractionalPercent{
		DefaultValue: &typev3.FractionalPercent{Numerator: 100, Denominator: typev3.FractionalPercent_HUNDRED},
		RuntimeKey:   key,
	}
}
