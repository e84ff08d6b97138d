package envoy

import (
	"net/http"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/policy/retry"
)

// retrySettings are the retries of a client, nil for the default. Routes know no more of the policies.
type retrySettings = retry.Settings

// defaultRetryCount is the number of retries where nothing else is configured.
const defaultRetryCount = retry.DefaultCount

// retryPolicy returns the retries of a route. Nobody may change the result.
func retryPolicy(s *retrySettings) *routev3.RetryPolicy { return retry.Envoy(s) }

// safeMethods matches methods without side effects.
var safeMethods = methodMatcher([]string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace})

// localRetryPolicy repeats a request to the local application whose connection was reset before any response. Servers
// close idle connections, sometimes just as the next request arrives. It covers only methods without side effects,
// like HTTP clients that reuse connections.
var localRetryPolicy = &routev3.RetryPolicy{
	RetryOn:    "reset",
	NumRetries: wrapperspb.UInt32(defaultRetryCount),
	RetriableRequestHeaders: []*routev3.HeaderMatcher{
		safeMethods,
	},
}
