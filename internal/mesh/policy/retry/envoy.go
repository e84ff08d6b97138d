package retry

import (
	"slices"
	"strings"
	"time"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	previoushostsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/retry/host/previous_hosts/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
)

const (
	// maxHostSelections is how often Envoy selects again when it selects an endpoint that was already tried. Of two endpoints it selects the same one again
	// with a probability of 1 in 2,048.
	maxHostSelections = 10
	// maxBackoffFactor is the maximum backoff in multiples of the base interval, as in OSM.
	maxBackoffFactor = 10
	// minBackoff is the shortest backoff that Envoy accepts.
	minBackoff = time.Millisecond
)

// NotProcessed is the header of a response with which the sidecar of a server says that it could not connect to the application, which has seen nothing of the
// request. Sidecars remove it from responses of applications.
const NotProcessed = "x-osm-not-processed"

var (
	// defaultPolicy hides endpoints that were removed before the sidecar was updated, and pods whose application has stopped already.
	defaultPolicy = Settings{Count: DefaultCount}.inMesh()
	// outsidePolicy is for servers without a sidecar: one of them could claim that it has not processed a request.
	outsidePolicy = Settings{Count: DefaultCount}.envoy(DefaultConditions)
)

// Envoy returns the client's own settings for a Service, or the default if there are none. Settings with count 0 leave the default in force; any others add the
// default conditions to their own, and they share its count. Nobody may change the result.
func Envoy(s *Settings) *routev3.RetryPolicy {
	if s == nil || s.Count == 0 {
		return defaultPolicy
	}
	return s.inMesh()
}

// Outside returns the policy for servers outside the mesh. Nobody may change it.
func Outside() *routev3.RetryPolicy { return outsidePolicy }

// inMesh also repeats requests that the sidecar of a server could not pass to its application.
func (s Settings) inMesh() *routev3.RetryPolicy {
	out := s.envoy(DefaultConditions + ",retriable-headers")
	out.RetriableHeaders = []*routev3.HeaderMatcher{message.Header(NotProcessed, message.Exact("1"))}
	return out
}

// envoy has the conditions of the settings, and others that always apply.
func (s Settings) envoy(always string) *routev3.RetryPolicy {
	out := &routev3.RetryPolicy{
		RetryOn:    retryOn(s.On, always),
		NumRetries: wrapperspb.UInt32(s.Count),
		RetryHostPredicate: []*routev3.RetryPolicy_RetryHostPredicate{{
			Name: "envoy.retry_host_predicates.previous_hosts",
			ConfigType: &routev3.RetryPolicy_RetryHostPredicate_TypedConfig{
				TypedConfig: message.Any(&previoushostsv3.PreviousHostsPredicate{}),
			},
		}},
		HostSelectionRetryMaxAttempts: maxHostSelections,
	}
	if s.PerTryTimeout > 0 {
		out.PerTryTimeout = durationpb.New(s.PerTryTimeout)
	}
	if s.BackoffBase > 0 {
		base := max(s.BackoffBase, minBackoff)
		out.RetryBackOff = &routev3.RetryPolicy_RetryBackOff{
			BaseInterval: durationpb.New(base), MaxInterval: durationpb.New(maxBackoffFactor * base),
		}
	}
	return out
}

// retryOn lists the conditions of a policy as written, followed by those that always apply and that it lacks.
func retryOn(conditions, always string) string {
	var list []string
	for condition := range strings.SplitSeq(conditions+","+always, ",") {
		if condition = strings.TrimSpace(condition); condition != "" && !slices.Contains(list, condition) {
			list = append(list, condition)
		}
	}
	return strings.Join(list, ",")
}
