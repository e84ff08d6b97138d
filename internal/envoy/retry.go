package envoy

import (
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	previoushostsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/retry/host/previous_hosts/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const (
	// safeRetries are failures of requests that no server has begun to process, so that sending them again is always safe.
	safeRetries = "connect-failure,refused-stream,reset-before-request"
	retryCount  = 2
	// hostAttempts is how often another endpoint is drawn when one was already tried.
	hostAttempts = 3
)

// retries hide the endpoints that went away before the sidecar learned of it.
var retries = &routev3.RetryPolicy{
	RetryOn:    safeRetries,
	NumRetries: wrapperspb.UInt32(retryCount),
	RetryHostPredicate: []*routev3.RetryPolicy_RetryHostPredicate{{
		Name: "envoy.retry_host_predicates.previous_hosts",
		ConfigType: &routev3.RetryPolicy_RetryHostPredicate_TypedConfig{
			TypedConfig: packed(&previoushostsv3.PreviousHostsPredicate{}),
		},
	}},
	HostSelectionRetryMaxAttempts: hostAttempts,
}
