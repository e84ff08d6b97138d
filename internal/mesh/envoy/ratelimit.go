package envoy

import (
	"cmp"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	ratelimitv3 "github.com/envoyproxy/go-control-plane/envoy/config/ratelimit/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	descriptorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	httplimitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/local_ratelimit/v3"
	httpglobalv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ratelimit/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	netlimitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/local_ratelimit/v3"
	netglobalv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/ratelimit/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// limitPrefix is OSM's statistics prefix of rate limits.
const limitPrefix = "http_local_rate_limiter"

// unlimitedFillInterval is the fill interval of the token bucket of a disabled limit, which Envoy requires.
const unlimitedFillInterval = time.Second

// anyPath is the path with which OSM users configure the limit of a Service without routes.
const anyPath = ".*"

// requestLimit is the filter of all HTTP ports, so adding or removing a limit does not change the listener. It has no token bucket and is off: routes and
// virtual hosts that bring a limit turn it on. The Envoy of Open Service Mesh cannot turn a filter off, and limits nothing without a token bucket.
func requestLimit(s *translation) *hcmv3.HttpFilter {
	filter := message.HTTPFilter(httpLimitFilter, &httplimitv3.LocalRateLimit{StatPrefix: limitPrefix})
	filter.Disabled = !s.Key.Class.OSM
	return filter
}

// limitRequests bounds the requests of a route or virtual host at this pod, for all clients together.
func limitRequests(limit *upstream.RequestRateLimit) *anypb.Any {
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
	if _, known := typev3.StatusCode_name[int32(status)]; known && status != 0 { //nolint:gosec // ingest checks status codes
		return typev3.StatusCode(status) //nolint:gosec // the same
	}
	return typev3.StatusCode_TooManyRequests
}

// portRequestLimit is the limit of all requests to a port that have no route limit; nil without one.
func portRequestLimit(limits *scope.Limits) *upstream.RequestRateLimit {
	if limits == nil {
		return nil
	}
	return limits.Requests
}

// routeLimit is the limit of the route whose path expression is identical; nil without one. It replaces the limit of
// the port.
func routeLimit(limits *scope.Limits, path string) *upstream.RequestRateLimit {
	if limits == nil {
		return nil
	}
	for i := range limits.Routes {
		if limits.Routes[i].Path == cmp.Or(path, anyPath) {
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
		TokenBucket:    tokenBucket(upstream.RateLimit{Tokens: 1, Interval: unlimitedFillInterval}),
	}
	if limits := in.Limits; limits != nil && limits.Connections != nil {
		config.RuntimeEnabled.DefaultValue = wrapperspb.Bool(true)
		config.TokenBucket = tokenBucket(*limits.Connections)
		if len(in.ClientChains()) > 0 { // the chains of a port share its limit
			config.ShareKey = connectionLimitName(in)
		}
	}
	return message.Extension(connectionLimitName(in), config)
}

// rateLimitedHeader keeps clients' sidecars from retrying a request above a limit, whatever its status. The retry
// condition envoy-ratelimited overrides it.
var rateLimitedHeader = message.SetHeader("x-envoy-ratelimited", "true")

func tokenBucket(r upstream.RateLimit) *typev3.TokenBucket {
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

const (
	globalRequestFilter    = "envoy.filters.http.ratelimit"
	globalConnectionFilter = "envoy.filters.network.ratelimit"
	globalLimitPrefix      = "global_rate_limiter"
)

// globalRequestLimit is the filter that sends each request to the rate limit service; none without a limit. The route has the descriptors,
// so without any the service gets no request.
func globalRequestLimit(limits *scope.Limits) []*hcmv3.HttpFilter {
	if limits == nil || limits.GlobalRequests == nil {
		return nil
	}
	limit := limits.GlobalRequests
	config := &httpglobalv3.RateLimit{
		Domain:            limit.Domain,
		Timeout:           durationpb.New(limit.Timeout),
		FailureModeDeny:   !limit.FailOpen,
		RateLimitService:  rateLimitService(limit.GlobalLimit),
		RateLimitedStatus: &typev3.HttpStatus{Code: rateLimitStatus(limit.Status)},
		StatusOnError:     message.Undecided,
	}
	if limit.LimitHeaders {
		config.EnableXRatelimitHeaders = httpglobalv3.RateLimit_DRAFT_VERSION_03
	}
	return []*hcmv3.HttpFilter{message.HTTPFilter(globalRequestFilter, config)}
}

// globalConnectionLimit is the filter that sends each connection to the rate limit service; none without a limit.
func globalConnectionLimit(limits *scope.Limits) []*listenerv3.Filter {
	if limits == nil || limits.GlobalConnections == nil {
		return nil
	}
	limit := limits.GlobalConnections
	config := &netglobalv3.RateLimit{
		StatPrefix: globalLimitPrefix, Domain: limit.Domain, Timeout: durationpb.New(limit.Timeout), FailureModeDeny: !limit.FailOpen,
		RateLimitService: rateLimitService(limit.GlobalLimit),
	}
	for _, descriptor := range limit.Descriptors {
		out := &descriptorv3.RateLimitDescriptor{}
		for _, entry := range descriptor {
			out.Entries = append(out.Entries, &descriptorv3.RateLimitDescriptor_Entry{Key: entry.Key, Value: entry.Value})
		}
		config.Descriptors = append(config.Descriptors, out)
	}
	return []*listenerv3.Filter{message.NetworkFilter(globalConnectionFilter, config)}
}

func rateLimitService(limit upstream.GlobalLimit) *ratelimitv3.RateLimitServiceConfig {
	return &ratelimitv3.RateLimitServiceConfig{
		TransportApiVersion: corev3.ApiVersion_V3, GrpcService: message.GRPC(RateLimitCluster(limit)),
	}
}

// rateLimitClusters are the rate limit services of the ports.
func rateLimitClusters(s *translation, inbound []inboundPort) []*clusterv3.Cluster {
	var out []*clusterv3.Cluster
	add := func(limit upstream.GlobalLimit) {
		c := configuredCluster(s, RateLimitCluster(limit), limit.Address, limit.Port, false)
		c.TypedExtensionProtocolOptions = map[string]*anypb.Any{message.HTTPProtocolOptions: message.Any(onlyHTTP2)}
		out = append(out, c)
	}
	for _, in := range inbound {
		if in.Limits == nil {
			continue
		}
		if in.Limits.GlobalRequests != nil && in.Protocol.IsHTTP() {
			add(in.Limits.GlobalRequests.GlobalLimit)
		}
		if in.Limits.GlobalConnections != nil {
			add(in.Limits.GlobalConnections.GlobalLimit)
		}
	}
	return out
}

// portDescriptors are the descriptors of requests to routes without their own.
func portDescriptors(limits *scope.Limits) []*routev3.RateLimit {
	if limits == nil || limits.GlobalRequests == nil {
		return nil
	}
	return requestDescriptors(limits.GlobalRequests.Descriptors)
}

// routeDescriptors are the descriptors of the route whose path expression is identical; nil without any.
func routeDescriptors(limits *scope.Limits, path string) []*routev3.RateLimit {
	if limits == nil || limits.GlobalRequests == nil {
		return nil
	}
	for _, route := range limits.GlobalRequests.Routes {
		if route.Path == cmp.Or(path, anyPath) {
			return requestDescriptors(route.Descriptors)
		}
	}
	return nil
}

func requestDescriptors(list []upstream.RequestDescriptor) []*routev3.RateLimit {
	var out []*routev3.RateLimit
	for _, descriptor := range list {
		out = append(out, &routev3.RateLimit{Actions: lists.Map(descriptor, limitAction)})
	}
	return out
}

func limitAction(entry upstream.RequestEntry) *routev3.RateLimit_Action {
	switch {
	case len(entry.Match) > 0:
		match := &routev3.RateLimit_Action_HeaderValueMatch{
			DescriptorKey: entry.Key, DescriptorValue: entry.Value, ExpectMatch: wrapperspb.Bool(!entry.Unmatched),
			Headers: lists.Map(entry.Match, limitHeaderMatcher),
		}
		return &routev3.RateLimit_Action{ActionSpecifier: &routev3.RateLimit_Action_HeaderValueMatch_{HeaderValueMatch: match}}
	case entry.Value != "":
		return &routev3.RateLimit_Action{ActionSpecifier: &routev3.RateLimit_Action_GenericKey_{
			GenericKey: &routev3.RateLimit_Action_GenericKey{DescriptorKey: entry.Key, DescriptorValue: entry.Value},
		}}
	case entry.Header != "":
		return &routev3.RateLimit_Action{ActionSpecifier: &routev3.RateLimit_Action_RequestHeaders_{
			RequestHeaders: &routev3.RateLimit_Action_RequestHeaders{DescriptorKey: entry.Key, HeaderName: entry.Header},
		}}
	}
	return &routev3.RateLimit_Action{ActionSpecifier: &routev3.RateLimit_Action_RemoteAddress_{RemoteAddress: &routev3.RateLimit_Action_RemoteAddress{}}}
}

func limitHeaderMatcher(match upstream.LimitHeaderMatch) *routev3.HeaderMatcher {
	value := &matcherv3.StringMatcher{}
	switch match.Kind {
	case "exact":
		value = message.Exact(match.Value)
	case "prefix":
		value.MatchPattern = &matcherv3.StringMatcher_Prefix{Prefix: match.Value}
	case "suffix":
		value.MatchPattern = &matcherv3.StringMatcher_Suffix{Suffix: match.Value}
	case "contains":
		value.MatchPattern = &matcherv3.StringMatcher_Contains{Contains: match.Value}
	case "regex":
		value = regexValue(match.Value)
	default:
		return &routev3.HeaderMatcher{
			Name: match.Name, InvertMatch: match.Kind == "absent", HeaderMatchSpecifier: &routev3.HeaderMatcher_PresentMatch{PresentMatch: true},
		}
	}
	return message.Header(match.Name, value)
}
