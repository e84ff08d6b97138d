package envoy

import (
	"net/http"
	"slices"
	"strings"
	"time"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	previoushostsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/retry/host/previous_hosts/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
)

const (
	// maxHostSelections is how often Envoy selects again when it selects an endpoint that was already tried.
	maxHostSelections = 3
	// maxBackoffFactor is the maximum backoff in multiples of the base interval, as in OSM.
	maxBackoffFactor = 10
	// minBackoff is the shortest backoff that Envoy accepts.
	minBackoff = time.Millisecond
)

// defaultRetryPolicy hides endpoints that were removed before the sidecar was updated.
var defaultRetryPolicy = newRetryPolicy(catalog.RetryPolicy{Count: catalog.DefaultRetryCount})

// safeMethods matches methods without side effects.
var safeMethods = methodMatcher([]string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace})

// localRetryPolicy repeats a request to the local application whose connection was reset before any response. Servers
// close idle connections, sometimes just as the next request arrives. It covers only methods without side effects,
// like HTTP clients that reuse connections.
var localRetryPolicy = &routev3.RetryPolicy{
	RetryOn:    "reset",
	NumRetries: wrapperspb.UInt32(catalog.DefaultRetryCount),
	RetriableRequestHeaders: []*routev3.HeaderMatcher{
		safeMethods,
	},
}

// retryPolicy is the client's own policy for a Service, or the default. A policy with count 0 leaves the default in
// force; any other policy adds the default conditions to its own, and they share its count.
func retryPolicy(p *catalog.RetryPolicy) *routev3.RetryPolicy {
	if p == nil || p.Count == 0 {
		return defaultRetryPolicy
	}
	return newRetryPolicy(*p)
}

func newRetryPolicy(p catalog.RetryPolicy) *routev3.RetryPolicy {
	out := &routev3.RetryPolicy{
		RetryOn:       retryOn(p.On),
		NumRetries:    wrapperspb.UInt32(p.Count),
		PerTryTimeout: durationUnlessZero(p.PerTryTimeout),
		RetryHostPredicate: []*routev3.RetryPolicy_RetryHostPredicate{{
			Name: "envoy.retry_host_predicates.previous_hosts",
			ConfigType: &routev3.RetryPolicy_RetryHostPredicate_TypedConfig{
				TypedConfig: message.Any(&previoushostsv3.PreviousHostsPredicate{}),
			},
		}},
		HostSelectionRetryMaxAttempts: maxHostSelections,
	}
	if p.BackoffBase > 0 {
		base := max(p.BackoffBase, minBackoff)
		out.RetryBackOff = &routev3.RetryPolicy_RetryBackOff{
			BaseInterval: durationpb.New(base), MaxInterval: durationpb.New(maxBackoffFactor * base),
		}
	}
	return out
}

// retryOn lists the conditions of a policy as written, followed by the default conditions that it lacks.
func retryOn(conditions string) string {
	var list []string
	for condition := range strings.SplitSeq(conditions, ",") {
		if condition = strings.TrimSpace(condition); condition != "" {
			list = append(list, condition)
		}
	}
	for condition := range strings.SplitSeq(catalog.DefaultRetryConditions, ",") {
		if !slices.Contains(list, condition) {
			list = append(list, condition)
		}
	}
	return strings.Join(list, ",")
}
