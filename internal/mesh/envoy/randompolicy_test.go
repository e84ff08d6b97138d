package envoy_test

import (
	"time"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/policy/retry"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

var (
	anyCount    = rapid.Ptr(rapid.SampledFrom([]uint32{0, 1, 100, 1<<32 - 1}), true)
	anyDuration = rapid.SampledFrom([]time.Duration{0, time.Millisecond, time.Second, 24 * time.Hour})
	// anyPositiveDuration is for fields that must not be 0.
	anyPositiveDuration = rapid.SampledFrom([]time.Duration{time.Second, time.Minute, time.Hour})
)

// optionalOf generates nil half of the time.
func optionalOf[V any](gen *rapid.Generator[V]) *rapid.Generator[*V] { return rapid.Ptr(gen, true) }

var anyRate = rapid.Custom(func(t *rapid.T) upstream.RateLimit {
	return upstream.RateLimit{
		Tokens: rapid.Uint32Range(1, 1<<30).Draw(t, "tokens"), Burst: rapid.Uint32Range(0, 1<<30).Draw(t, "burst"), Interval: anyPositiveDuration.Draw(t, "interval"),
	}
})

var anyRequestRate = rapid.Custom(func(t *rapid.T) upstream.RequestRateLimit {
	return upstream.RequestRateLimit{
		RateLimit: anyRate.Draw(t, "rate"), Status: rapid.Uint32Range(400, 599).Draw(t, "status"),
		Headers: []upstream.Header{{Name: "x-limited", Value: "yes"}},
	}
})

var anyLimits = optionalOf(rapid.Custom(func(t *rapid.T) scope.Limits {
	l := scope.Limits{Connections: optionalOf(anyRate).Draw(t, "connections"), Requests: optionalOf(anyRequestRate).Draw(t, "requests")}
	for range rapid.IntRange(0, 2).Draw(t, "routes") {
		l.Routes = append(l.Routes, upstream.RouteRateLimit{Path: anyRegex.Draw(t, "path"), Limit: anyRequestRate.Draw(t, "rate")})
	}
	return l
}))

var anyUpstream = optionalOf(rapid.Custom(func(t *rapid.T) scope.Upstream {
	up := scope.Upstream{Connections: upstream.ConnectionSettings{
		MaxConnections: anyCount.Draw(t, "connections"), MaxPendingRequests: anyCount.Draw(t, "pending"), MaxRequests: anyCount.Draw(t, "requests"),
		MaxRetries: anyCount.Draw(t, "retries"), MaxRequestsPerConnection: anyCount.Draw(t, "requests per connection"),
		ConnectTimeout: anyDuration.Draw(t, "connect"), RequestTimeout: anyDuration.Draw(t, "request"),
		HTTPIdleTimeout: anyDuration.Draw(t, "idle"), TCPIdleTimeout: anyDuration.Draw(t, "silent"),
	}}
	if rapid.Bool().Draw(t, "outliers") {
		up.OutlierDetection = &upstream.OutlierDetection{
			ConsecutiveErrors: rapid.Uint32Range(0, 9).Draw(t, "errors"), Interval: anyDuration.Draw(t, "interval"),
			BaseEjectionTime: anyDuration.Draw(t, "ejection"), MaxEjectionPercent: rapid.Ptr(rapid.Uint32Range(0, 100), true).Draw(t, "percent"),
		}
	}
	if rapid.Bool().Draw(t, "checks") {
		up.HealthCheck = &upstream.HealthCheck{Interval: anyDuration.Draw(t, "every"), Timeout: anyDuration.Draw(t, "timeout")}
	}
	return up
}))

var anyRetries = rapid.Custom(func(t *rapid.T) []scope.Retry {
	var list []scope.Retry
	for _, service := range rapid.SliceOfNDistinct(anyName, 0, 2, rapid.ID).Draw(t, "retried") {
		list = append(list, scope.Retry{Service: service, Policy: retry.Settings{
			On:            rapid.SampledFrom([]string{"", "5xx", "gateway-error, cancelled", "nonsense"}).Draw(t, "on"),
			Count:         rapid.Uint32Range(1, 9).Draw(t, "count"),
			PerTryTimeout: anyDuration.Draw(t, "per try"),
			BackoffBase:   rapid.SampledFrom([]time.Duration{0, time.Microsecond, time.Second}).Draw(t, "backoff"),
		}})
	}
	return list
})
