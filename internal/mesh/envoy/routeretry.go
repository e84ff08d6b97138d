package envoy

import (
	"cmp"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// routeRetry is the retry policy of a route: its own, or else that of the client for the Service. Failures that no server has begun to process are
// always repeated. The timeout of an attempt is that of the route.
func routeRetry(r *scope.HTTPRoute, policy *retrySettings) *routev3.RetryPolicy {
	out := retryPolicy(policy)
	switch {
	case r.Repeat == nil:
	case r.Repeat.Never:
		out = retryPolicy(nil)
	default:
		out = retryPolicy(&retrySettings{
			On: ownRetryOn(r.Repeat), Count: cmp.Or(r.Repeat.Attempts, defaultRetryCount),
			BackoffBase: r.Repeat.Backoff,
		})
		out.RetriableStatusCodes = r.Repeat.Codes
	}
	if r.TryTimeout > 0 {
		out = proto.CloneOf(out) // the default is shared
		out.PerTryTimeout = durationpb.New(r.TryTimeout)
	}
	return out
}

// ownRetryOn lists the conditions of a route: connections that fail, as the Gateway API specifies, and status codes.
func ownRetryOn(r *catalog.RouteRetry) string {
	if len(r.Codes) == 0 {
		return "reset"
	}
	return "reset,retriable-status-codes"
}

// mirrorPolicies send copies of requests to clusters, with the same host.
func mirrorPolicies(mirrors []scope.Mirror) []*routev3.RouteAction_RequestMirrorPolicy {
	var out []*routev3.RouteAction_RequestMirrorPolicy
	for _, m := range mirrors {
		out = append(out, &routev3.RouteAction_RequestMirrorPolicy{
			Cluster: m.Cluster, TraceSampled: wrapperspb.Bool(false), DisableShadowHostSuffixAppend: true,
			RuntimeFraction: &corev3.RuntimeFractionalPercent{DefaultValue: fractionOf(m.Numerator, m.Denominator)},
		})
	}
	return out
}

// fractionOf returns a part as Envoy's nearest one.
func fractionOf(numerator, denominator uint32) *typev3.FractionalPercent {
	if denominator == 100 {
		return &typev3.FractionalPercent{Numerator: numerator, Denominator: typev3.FractionalPercent_HUNDRED}
	}
	const million = 1_000_000
	return &typev3.FractionalPercent{
		Numerator: uint32(uint64(numerator) * million / uint64(max(denominator, 1))), Denominator: typev3.FractionalPercent_MILLION, //nolint:gosec // it is at most a million
	}
}
