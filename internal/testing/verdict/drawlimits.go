package verdict

import (
	"slices"
	"time"

	"pgregory.net/rapid"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest" //nolint:staticcheck // its words make meshes read like sentences
)

// The following settings affect how requests are sent, but not whether they are allowed: retries, limits that are never reached,
// and health checks that always pass. No response may change because of them.

// plenty exceeds the load of every test.
const plenty = 1_000_000

// addSendingPolicies adds the generators of policies that affect how requests are sent.
func addSendingPolicies(add func(catalog.Kind, int, catalog.Name, func(*rapid.T) catalog.Entry)) {
	for _, name := range []catalog.Name{Name("a", "retry1"), Name("b", "retry2")} {
		add(catalog.KindRetry, 2, name, func(t *rapid.T) catalog.Entry { return drawRetry(t, name) })
	}
	for _, name := range []catalog.Name{Name("a", "upstream1"), Name("a", "upstream2"), Name("b", "upstream1")} {
		add(catalog.KindUpstreamTrafficSetting, 2, name, func(t *rapid.T) catalog.Entry { return drawUpstream(t, name) })
	}
}

// drawSwitches draws which kinds the settings enable.
func drawSwitches(t *rapid.T, s *catalog.Settings) {
	s.RetryPolicies, s.ActiveHealthChecks = !oneIn(t, 3, "no retries"), oneIn(t, 8, "health checks")
	s.IngressBackends, s.EgressPolicies = !oneIn(t, 4, "no ingress backends"), !oneIn(t, 3, "no egress policies")
}

// featureFlags returns the switches of the MeshConfig for settings.
func featureFlags(s *catalog.Settings) configv1alpha2.FeatureFlags {
	return configv1alpha2.FeatureFlags{
		EnableRetryPolicy: s.RetryPolicies, EnableEnvoyActiveHealthChecks: s.ActiveHealthChecks,
		EnableIngressBackendPolicy: s.IngressBackends, EnableEgressPolicy: s.EgressPolicies,
	}
}

func drawRetry(t *rapid.T, name catalog.Name) catalog.Entry {
	r := &catalog.Retry{Name: name, Created: time.Unix(int64(below(t, 2, "created")), 0), Source: oneOf(accounts).Draw(t, "source")}
	to := rapid.Custom(func(t *rapid.T) catalog.Name { return services[below(t, len(services), "destination")].name })
	r.Destinations = rapid.SliceOfNDistinct(to, 1, 3, rapid.ID).Draw(t, "destinations")
	slices.SortFunc(r.Destinations, catalog.Name.Compare)
	r.Policy = catalog.RetryPolicy{
		On:          oneOf([]string{"5xx", "connect-failure,reset", "gateway-error,refused-stream", "retriable-4xx,5xx"}).Draw(t, "on"),
		Count:       oneOf([]uint32{1, 2, 5}).Draw(t, "count"),
		BackoffBase: time.Millisecond,
	}
	if oneIn(t, 2, "timeout") {
		r.Policy.PerTryTimeout = responseTimeout / 2
	}
	return r
}

func drawUpstream(t *rapid.T, name catalog.Name) catalog.Entry {
	u := &catalog.UpstreamTrafficSetting{
		Kind: catalog.KindUpstreamTrafficSetting, Name: name, Created: time.Unix(int64(below(t, 2, "created")), 0),
		Service: anyServiceOf(name.Namespace).Draw(t, "service"),
	}
	rate := catalog.RateLimit{Tokens: plenty, Burst: oneOf([]uint32{0, 1}).Draw(t, "burst"), Interval: oneOf([]time.Duration{time.Second, time.Minute}).Draw(t, "interval")}
	requests := catalog.RequestRateLimit{RateLimit: rate, Status: 429}
	u.Connections = drawConnections(t)
	if oneIn(t, 2, "connection rate") {
		u.ConnectionRate = &rate
	}
	if oneIn(t, 2, "request rate") {
		u.RequestRate = &requests
	}
	if oneIn(t, 2, "route rate") {
		u.Routes = []catalog.RouteRateLimit{{Path: anyPathRegex.Draw(t, "path"), Limit: requests}}
	}
	if oneIn(t, 3, "outlier detection") {
		u.OutlierDetection = &catalog.OutlierDetection{ConsecutiveErrors: plenty, Interval: time.Second, BaseEjectionTime: time.Second}
	}
	if oneIn(t, 4, "health check") {
		u.HealthCheck = &catalog.HealthCheck{Interval: time.Second, Timeout: time.Second, UnhealthyThreshold: 3, HealthyThreshold: 1}
	}
	return u
}

// drawBackpressure draws the kind of early OSM releases.
func drawBackpressure(t *rapid.T, name catalog.Name) catalog.Entry {
	limit := uint32(plenty)
	return &catalog.UpstreamTrafficSetting{
		Kind: catalog.KindBackpressure, Name: name, Service: anyServiceOf(name.Namespace).Draw(t, "service"),
		Connections: catalog.ConnectionSettings{MaxConnections: &limit},
	}
}

// drawConnections draws limits that are never reached.
func drawConnections(t *rapid.T) catalog.ConnectionSettings {
	var c catalog.ConnectionSettings
	limit := uint32(plenty)
	for _, field := range []**uint32{&c.MaxConnections, &c.MaxPendingRequests, &c.MaxRequests, &c.MaxRetries, &c.MaxRequestsPerConnection} {
		if oneIn(t, 2, "bounded") {
			*field = &limit
		}
	}
	for _, field := range []*time.Duration{&c.ConnectTimeout, &c.RequestTimeout, &c.HTTPIdleTimeout, &c.TCPIdleTimeout} {
		if oneIn(t, 3, "timed") {
			*field = responseTimeout / 2
		}
	}
	return c
}
