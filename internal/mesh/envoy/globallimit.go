package envoy

import (
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	ratelimitv3 "github.com/envoyproxy/go-control-plane/envoy/config/ratelimit/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	descriptorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	httpglobalv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ratelimit/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	netglobalv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/ratelimit/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

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
		StatusOnError:     undecided,
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

func rateLimitService(limit catalog.GlobalLimit) *ratelimitv3.RateLimitServiceConfig {
	return &ratelimitv3.RateLimitServiceConfig{
		TransportApiVersion: corev3.ApiVersion_V3,
		GrpcService: &corev3.GrpcService{TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{
			EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: RateLimitCluster(limit)},
		}},
	}
}

// rateLimitClusters are the rate limit services of the ports.
func rateLimitClusters(s *scope.Scope, inbound []inboundPort) []*clusterv3.Cluster {
	var out []*clusterv3.Cluster
	add := func(limit catalog.GlobalLimit) {
		c := serverCluster(RateLimitCluster(limit), limit.Address, limit.Port, s.Key.Class)
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
	if path == "" {
		path = anyPath
	}
	for _, route := range limits.GlobalRequests.Routes {
		if route.Path == path {
			return requestDescriptors(route.Descriptors)
		}
	}
	return nil
}

func requestDescriptors(list []catalog.RequestDescriptor) []*routev3.RateLimit {
	var out []*routev3.RateLimit
	for _, descriptor := range list {
		limit := &routev3.RateLimit{}
		for _, entry := range descriptor {
			limit.Actions = append(limit.Actions, limitAction(entry))
		}
		out = append(out, limit)
	}
	return out
}

func limitAction(entry catalog.RequestEntry) *routev3.RateLimit_Action {
	switch {
	case len(entry.Match) > 0:
		match := &routev3.RateLimit_Action_HeaderValueMatch{
			DescriptorKey: entry.Key, DescriptorValue: entry.Value, ExpectMatch: wrapperspb.Bool(!entry.Unmatched),
		}
		for _, header := range entry.Match {
			match.Headers = append(match.Headers, limitHeaderMatcher(header))
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

func limitHeaderMatcher(match catalog.LimitHeaderMatch) *routev3.HeaderMatcher {
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
	return headerMatcher(match.Name, value)
}
