package meshtest

import (
	"net/netip"
	"time"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

var created = rapid.Map(rapid.Int64Range(0, 2), func(s int64) time.Time { return time.Unix(s, 0) })

// policies generate the policies that configure how traffic is sent, or which traffic leaves and enters the mesh.
func policies() []*rapid.Generator[catalog.Entry] {
	return []*rapid.Generator[catalog.Entry]{
		entry(drawRetry), entry(drawUpstream), entry(drawIngressBackend), entry(drawEgress), entry(drawTelemetry), entry(drawAuthorization), entry(drawExtension),
	}
}

// drawSwitches draws which kinds the settings enable.
func drawSwitches(t *rapid.T, s *catalog.Settings) {
	s.RetryPolicies, s.IngressBackends = rapid.Bool().Draw(t, "retries"), rapid.Bool().Draw(t, "ingress")
	s.EgressPolicies, s.ActiveHealthChecks = rapid.IntRange(0, 3).Draw(t, "egress policies") > 0, rapid.IntRange(0, 3).Draw(t, "checks") == 0
}

func drawRetry(t *rapid.T) *catalog.Retry {
	source := drawAccount(t)
	name := Name(source.Namespace, rapid.SampledFrom(words).Draw(t, "retry"))
	r := &catalog.Retry{
		Name: name, Created: created.Draw(t, "created"), Source: source, Destinations: []catalog.Name{drawName(t)},
		Policy: catalog.RetryPolicy{On: "5xx", Count: rapid.Uint32Range(0, 3).Draw(t, "count")},
	}
	if other := drawName(t); other.Compare(r.Destinations[0]) > 0 {
		r.Destinations = append(r.Destinations, other)
	}
	return r
}

func drawUpstream(t *rapid.T) *catalog.UpstreamTrafficSetting {
	u := &catalog.UpstreamTrafficSetting{Kind: catalog.KindUpstreamTrafficSetting, Name: drawName(t), Created: created.Draw(t, "created")}
	if rapid.IntRange(0, 3).Draw(t, "backpressure") == 0 {
		u.Kind = catalog.KindBackpressure
	}
	if outside := u.Kind == catalog.KindUpstreamTrafficSetting && rapid.IntRange(0, 3).Draw(t, "outside") == 0; !outside {
		u.Service = Name(u.Name.Namespace, rapid.SampledFrom(words).Draw(t, "service"))
	}
	limit := rapid.Uint32Range(1, 3).Draw(t, "limit")
	rate := catalog.RateLimit{Tokens: limit, Interval: time.Minute}
	if rapid.Bool().Draw(t, "connections") {
		u.Connections.MaxConnections, u.ConnectionRate = &limit, &rate
	}
	if rapid.Bool().Draw(t, "requests") {
		requests := catalog.RequestRateLimit{RateLimit: rate, Status: 429}
		u.RequestRate, u.Routes = &requests, []catalog.RouteRateLimit{{Path: "/one", Limit: requests}}
		u.Connections.RequestTimeout = time.Duration(limit) * time.Second
	}
	if rapid.IntRange(0, 3).Draw(t, "global") == 0 {
		global := catalog.GlobalLimit{Address: "192.0.2.6", Port: 8081, Domain: "shop", Timeout: time.Second, FailOpen: rapid.Bool().Draw(t, "fail open")}
		u.GlobalConnections = &catalog.GlobalConnectionLimit{GlobalLimit: global, Descriptors: []catalog.ConnectionDescriptor{{{Key: "a", Value: "b"}}}}
		u.GlobalRequests = &catalog.GlobalRequestLimit{GlobalLimit: global, Status: 429, Descriptors: []catalog.RequestDescriptor{{{Value: "c"}}}}
	}
	if rapid.Bool().Draw(t, "health") {
		u.HealthCheck, u.OutlierDetection = &catalog.HealthCheck{}, &catalog.OutlierDetection{ConsecutiveErrors: limit}
	}
	return u
}

func drawIngressBackend(t *rapid.T) *catalog.IngressBackend {
	b := &catalog.IngressBackend{Name: drawName(t), Created: created.Draw(t, "created")}
	b.Backends = []catalog.IngressPort{{
		Service:    Name(b.Name.Namespace, rapid.SampledFrom(words).Draw(t, "service")),
		TargetPort: rapid.SampledFrom([]uint16{80, 8080}).Draw(t, "target port"),
		TLS:        rapid.Bool().Draw(t, "tls"),
	}}
	if rapid.Bool().Draw(t, "gateway") {
		b.Gateways = []catalog.Name{drawName(t)}
	}
	if rapid.Bool().Draw(t, "range") {
		b.Prefixes = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/25")}
	}
	if rapid.Bool().Draw(t, "principal") {
		b.Principals = []string{"gateway.example.com"}
	}
	if rapid.Bool().Draw(t, "routes") {
		b.RouteGroups = []string{rapid.SampledFrom(words).Draw(t, "group")}
	}
	return b
}
