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

	"github.com/openservicemesh/osm-operator/internal/catalog"
)

const (
	// safeRetries are failures of requests that no server has begun to process, so that sending them again is always safe.
	safeRetries = "connect-failure,refused-stream,reset-before-request"
	retryCount  = 2
	// hostAttempts is how often another endpoint is drawn when one was already tried.
	hostAttempts = 3
	// maxBackoffs is OSM's longest wait between two attempts, in multiples of the first one.
	maxBackoffs = 10
	// shortestBackoff is the least that Envoy can wait.
	shortestBackoff = time.Millisecond
)

// safe hides the endpoints that went away before the sidecar learned of it.
var safe = retries(catalog.RetryPolicy{Count: retryCount})

// unanswered sends a request to the application again whose connection ended before a word of the answer: servers end connections that
// were idle for long enough, and to the sidecar that may come in the same moment as the next request. What has changed something
// is not sent twice, so this holds for methods that change nothing, as it does for any HTTP client that uses connections again.
var unanswered = &routev3.RetryPolicy{
	RetryOn:    "reset",
	NumRetries: wrapperspb.UInt32(retryCount),
	RetriableRequestHeaders: []*routev3.HeaderMatcher{
		methodMatcher([]string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace}),
	},
}

// retryPolicy is a client's own for a Service, or without one what is safe for everybody. A policy that repeats nothing leaves the
// latter in force, and one that repeats something adds its conditions: they share its number.
func retryPolicy(p *catalog.RetryPolicy) *routev3.RetryPolicy {
	if p == nil || p.Count == 0 {
		return safe
	}
	return retries(*p)
}

func retries(p catalog.RetryPolicy) *routev3.RetryPolicy {
	out := &routev3.RetryPolicy{
		RetryOn:       retryOn(p.On),
		NumRetries:    wrapperspb.UInt32(p.Count),
		PerTryTimeout: durationUnlessZero(p.PerTryTimeout),
		RetryHostPredicate: []*routev3.RetryPolicy_RetryHostPredicate{{
			Name: "envoy.retry_host_predicates.previous_hosts",
			ConfigType: &routev3.RetryPolicy_RetryHostPredicate_TypedConfig{
				TypedConfig: packed(&previoushostsv3.PreviousHostsPredicate{}),
			},
		}},
		HostSelectionRetryMaxAttempts: hostAttempts,
	}
	if p.BackoffBase > 0 {
		base := max(p.BackoffBase, shortestBackoff)
		out.RetryBackOff = &routev3.RetryPolicy_RetryBackOff{
			BaseInterval: durationpb.New(base), MaxInterval: durationpb.New(maxBackoffs * base),
		}
	}
	return out
}

// retryOn are the conditions of a policy as they were written, and those of the safe ones that it does not name.
func retryOn(conditions string) string {
	var list []string
	for condition := range strings.SplitSeq(conditions, ",") {
		if condition = strings.TrimSpace(condition); condition != "" {
			list = append(list, condition)
		}
	}
	for condition := range strings.SplitSeq(safeRetries, ",") {
		if !slices.Contains(list, condition) {
			list = append(list, condition)
		}
	}
	return strings.Join(list, ",")
}
