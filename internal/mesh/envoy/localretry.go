package envoy

import (
	"net/http"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/policy/retry"
)

// safeMethods matches methods without side effects.
var safeMethods = methodMatcher([]string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace})

// localRetryPolicy repeats a request to the local application whose connection was reset before any response. Servers
// close idle connections, sometimes just as the next request arrives. It covers only methods without side effects,
// like HTTP clients that reuse connections.
var localRetryPolicy = &routev3.RetryPolicy{
	RetryOn:    "reset",
	NumRetries: wrapperspb.UInt32(retry.DefaultCount),
	RetriableRequestHeaders: []*routev3.HeaderMatcher{
		safeMethods,
	},
}
