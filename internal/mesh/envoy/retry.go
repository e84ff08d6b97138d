package envoy

import (
	"net/http"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/retry"
)

// retrySettings are the retries of a client, nil for the default. Routes know no more of the policies.
type retrySettings = retry.Settings

// defaultRetryCount is the number of retries where nothing else is configured.
const defaultRetryCount = retry.DefaultCount

// retryPolicy returns the retries of a route. Nobody may change the result.
func retryPolicy(s *retrySettings) *routev3.RetryPolicy { return retry.Envoy(s) }

// outsideRetryPolicy returns the retries of requests to servers outside the mesh. Nobody may change the result.
func outsideRetryPolicy() *routev3.RetryPolicy { return retry.Outside() }

// safeMethods are the methods without side effects, and safeRequest matches them.
var (
	safeMethods = []string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace}
	safeRequest = methodMatcher(safeMethods)
)

// localRetryPolicy repeats a request to the local application once, if the connection was reset before any response. Servers close idle connections, sometimes
// just as the next request arrives. A request that ends the process which handles it would end another one with each repetition. It covers only methods without
// side effects, like HTTP clients that reuse connections.
var localRetryPolicy = &routev3.RetryPolicy{
	RetryOn:    "reset",
	NumRetries: wrapperspb.UInt32(1),
	RetriableRequestHeaders: []*routev3.HeaderMatcher{
		safeRequest,
	},
}

// notProcessed marks the response to a request for which there was no connection to the application: it has stopped, or does not listen yet. Clients repeat
// such a request at another pod, with any method.
var notProcessed = &hcmv3.LocalReplyConfig{Mappers: []*hcmv3.ResponseMapper{{
	Filter: &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_ResponseFlagFilter{
		ResponseFlagFilter: &accesslogv3.ResponseFlagFilter{Flags: []string{"UF"}},
	}},
	HeadersToAdd: []*corev3.HeaderValueOption{message.SetHeader(retry.NotProcessed, "1")},
}}}
