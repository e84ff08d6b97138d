package meshtest

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/extauthz"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/ingressbackend"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/retry"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/telemetry"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
)

// EgressHosts are the hosts of random Egresses.
var EgressHosts = []string{"api.example.com", "db.example.com", "192.0.2.1"}

// EgressPrefixes are the ranges of random Egresses. They overlap.
var EgressPrefixes = []netip.Prefix{
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("192.0.2.0/28"), netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("2001:db8::/32"),
}

// EgressPorts are the ports of random Egresses.
var EgressPorts = []uint16{80, 443}

func drawEgress(t *rapid.T) *catalog.Egress {
	e := DrawEgress(t, drawName(t), rapid.SliceOfN(rapid.SampledFrom(words), 1, 2).Draw(t, "sources"))
	if rapid.IntRange(0, 3).Draw(t, "through the gateway") == 0 {
		UseGateway(t, e)
	}
	return e
}

// UseGateway sends what an Egress allows through the egress gateway, without the ports that it cannot forward.
func UseGateway(t *rapid.T, e *catalog.Egress) {
	e.Gateway, e.Prefixes = &catalog.EgressGateway{}, nil
	e.Ports = slices.DeleteFunc(e.Ports, func(p catalog.EgressPort) bool {
		return p.Protocol != inventory.ProtocolHTTP && p.Protocol != catalog.ProtocolHTTPS
	})
	e.Hosts = slices.DeleteFunc(e.Hosts, func(host string) bool { return host == "*.example.com" })
	if rapid.Bool().Draw(t, "encrypted") {
		e.Gateway.TLS = &catalog.EgressTLS{Port: 443, Secret: rapid.SampledFrom(words).Draw(t, "secret")}
	}
}

// DrawEgress draws an Egress with the name for accounts of its namespace.
func DrawEgress(t *rapid.T, name entity.Name, sources []string) *catalog.Egress {
	e := &catalog.Egress{Name: name, Created: created.Draw(t, "created")}
	for _, source := range sources {
		e.Sources = append(e.Sources, identity.ServiceAccount{Namespace: name.Namespace, Name: source})
	}
	e.Hosts = rapid.SliceOfNDistinct(rapid.SampledFrom(EgressHosts), 1, 2, rapid.ID).Draw(t, "hosts")
	e.Prefixes = rapid.SliceOfNDistinct(rapid.SampledFrom(EgressPrefixes), 0, 2, rapid.ID).Draw(t, "ranges")
	if len(e.Prefixes) > 0 && rapid.Bool().Draw(t, "wildcard") {
		e.Hosts = append(e.Hosts, "*.example.com")
	}
	protocols := []inventory.Protocol{inventory.ProtocolHTTP, catalog.ProtocolHTTPS, inventory.ProtocolTCP, inventory.ProtocolTCPServerFirst}
	for range rapid.IntRange(1, 2).Draw(t, "ports") {
		e.Ports = append(e.Ports, catalog.EgressPort{
			Number: rapid.SampledFrom(EgressPorts).Draw(t, "port"), Protocol: rapid.SampledFrom(protocols).Draw(t, "protocol"),
		})
	}
	if e.Restricted = rapid.Bool().Draw(t, "restricted"); e.Restricted {
		e.RouteGroups = []string{rapid.SampledFrom(words).Draw(t, "group")}
	}
	if rapid.Bool().Draw(t, "limited") {
		e.Setting = rapid.SampledFrom(words).Draw(t, "setting")
	}
	slices.SortFunc(e.Sources, identity.ServiceAccount.Compare)
	slices.Sort(e.Hosts)
	slices.SortFunc(e.Prefixes, netip.Prefix.Compare)
	slices.SortFunc(e.Ports, func(a, b catalog.EgressPort) int {
		return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.Protocol, b.Protocol))
	})
	e.Sources, e.Ports = slices.Compact(e.Sources), slices.Compact(e.Ports)
	return e
}

var created = rapid.Map(rapid.Int64Range(0, 2), func(s int64) time.Time { return time.Unix(s, 0) })

// policies generate the policies that configure how traffic is sent, or which traffic leaves and enters the mesh.
func policies() []*rapid.Generator[catalog.Entry] {
	return []*rapid.Generator[catalog.Entry]{
		entry(drawRetry), entry(drawUpstream), entry(drawIngressBackend), entry(drawEgress), entry(drawBackendTLS), entry(drawBackendAuthorities),
		entry(drawTelemetry), entry(drawAuthorization), entry(drawExtension),
	}
}

// drawSwitches draws which kinds the settings enable.
func drawSwitches(t *rapid.T, s *catalog.Settings) {
	s.RetryPolicies, s.IngressBackends = rapid.Bool().Draw(t, "retries"), rapid.Bool().Draw(t, "ingress")
	s.EgressPolicies, s.ActiveHealthChecks = rapid.IntRange(0, 3).Draw(t, "egress policies") > 0, rapid.IntRange(0, 3).Draw(t, "checks") == 0
}

// Exclusive draws policies of one kind of which one object can make another one ineffective. An UpstreamTrafficSetting and a Backpressure count as one kind.
func Exclusive() *rapid.Generator[[]catalog.Entry] {
	return rapid.Custom(func(t *rapid.T) []catalog.Entry {
		kind := rapid.SampledFrom([]*rapid.Generator[catalog.Entry]{
			entry(drawSplit), entry(drawRetry), entry(drawUpstream), entry(drawIngressBackend), entry(drawEgress),
			entry(drawTelemetry), entry(drawAuthorization),
		}).Draw(t, "kind")
		return rapid.SliceOfN(kind, 2, 8).Draw(t, "policies")
	})
}

func drawRetry(t *rapid.T) *retry.Policy {
	source := drawAccount(t)
	name := Name(source.Namespace, rapid.SampledFrom(words).Draw(t, "retry"))
	r := &retry.Policy{
		Name: name, Created: created.Draw(t, "created"), Source: source, Destinations: []entity.Name{drawName(t)},
		Settings: retry.Settings{On: "5xx", Count: rapid.Uint32Range(0, 3).Draw(t, "count")},
	}
	if other := drawName(t); other.Compare(r.Destinations[0]) > 0 {
		r.Destinations = append(r.Destinations, other)
	}
	return r
}

func drawUpstream(t *rapid.T) *upstream.Policy {
	u := &upstream.Policy{Kind: upstream.Kind, Name: drawName(t), Created: created.Draw(t, "created")}
	if rapid.IntRange(0, 3).Draw(t, "backpressure") == 0 {
		u.Kind = upstream.Backpressure
	}
	if outside := u.Kind == upstream.Kind && rapid.IntRange(0, 3).Draw(t, "outside") == 0; !outside {
		u.Service = Name(u.Name.Namespace, rapid.SampledFrom(words).Draw(t, "service"))
	}
	limit := rapid.Uint32Range(1, 3).Draw(t, "limit")
	rate := upstream.RateLimit{Tokens: limit, Interval: time.Minute}
	if rapid.Bool().Draw(t, "connections") {
		u.Connections.MaxConnections, u.ConnectionRate = &limit, &rate
	}
	if rapid.Bool().Draw(t, "requests") {
		requests := upstream.RequestRateLimit{RateLimit: rate, Status: 429}
		u.RequestRate, u.Routes = &requests, []upstream.RouteRateLimit{{Path: "/one", Limit: requests}}
		u.Connections.RequestTimeout = time.Duration(limit) * time.Second
	}
	if rapid.IntRange(0, 3).Draw(t, "global") == 0 {
		global := upstream.GlobalLimit{Address: "192.0.2.6", Port: 8081, Domain: "shop", Timeout: time.Second, FailOpen: rapid.Bool().Draw(t, "fail open")}
		u.GlobalConnections = &upstream.GlobalConnectionLimit{GlobalLimit: global, Descriptors: []upstream.ConnectionDescriptor{{{Key: "a", Value: "b"}}}}
		u.GlobalRequests = &upstream.GlobalRequestLimit{GlobalLimit: global, Status: 429, Descriptors: []upstream.RequestDescriptor{{{Value: "c"}}}}
	}
	if rapid.Bool().Draw(t, "health") {
		u.HealthCheck, u.OutlierDetection = &upstream.HealthCheck{}, &upstream.OutlierDetection{ConsecutiveErrors: limit}
	}
	return u
}

func drawIngressBackend(t *rapid.T) *ingressbackend.Policy {
	b := &ingressbackend.Policy{Name: drawName(t), Created: created.Draw(t, "created")}
	b.Backends = []ingressbackend.Port{{
		Service:    Name(b.Name.Namespace, rapid.SampledFrom(words).Draw(t, "service")),
		TargetPort: rapid.SampledFrom([]uint16{80, 8080}).Draw(t, "target port"),
		TLS:        rapid.Bool().Draw(t, "tls"),
	}}
	if rapid.Bool().Draw(t, "gateway") {
		b.Gateways = []entity.Name{drawName(t)}
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

// drawSelector draws labels that Services select pods by, alone or with another label; sometimes none.
func drawSelector(t *rapid.T) map[string]string {
	selector := map[string]string{}
	if rapid.Bool().Draw(t, "selective") {
		selector["app"] = rapid.SampledFrom(words).Draw(t, "app")
	}
	if rapid.IntRange(0, 2).Draw(t, "of a tier") == 0 {
		selector["tier"] = "web"
	}
	if len(selector) == 0 {
		return nil
	}
	return selector
}

// drawTelemetry selects pods by the label that Services select them by. It may refer to an ExtensionService of any namespace.
func drawTelemetry(t *rapid.T) *telemetry.Policy {
	policy := &telemetry.Policy{Name: drawName(t), Created: created.Draw(t, "created")}
	policy.Selector = drawSelector(t)
	if rapid.Bool().Draw(t, "text") {
		policy.Text = rapid.SampledFrom([]string{"%RESPONSE_CODE%", "%REQ(:PATH)% %PROTOCOL%"}).Draw(t, "format")
	} else {
		policy.Fields = map[string]string{"code": "%RESPONSE_CODE%"}
	}
	policy.Filter = rapid.SampledFrom([]string{"", "response.code >= 400", "request.method == 'GET'", "false"}).Draw(t, "filter")
	policy.Metrics = rapid.SampledFrom([]telemetry.Metrics{telemetry.AllMetrics, telemetry.MetricsWithoutRoutes, telemetry.NoMetrics}).Draw(t, "metrics")
	if rapid.Bool().Draw(t, "exported") {
		policy.Export, policy.Attributes = drawName(t), map[string]string{"mesh": "test"}
	}
	return policy
}

func drawExtension(t *rapid.T) *catalog.ExtensionService {
	return &catalog.ExtensionService{
		Name: drawName(t), Address: rapid.SampledFrom([]string{"192.0.2.7", "otel.example.com"}).Draw(t, "server"), Port: 4317,
		HTTP1: rapid.IntRange(0, 3).Draw(t, "protocol") == 0,
	}
}

// drawAuthorization selects pods as drawTelemetry does.
func drawAuthorization(t *rapid.T) *extauthz.Policy {
	policy := &extauthz.Policy{
		Name: drawName(t), Created: created.Draw(t, "created"), Service: drawName(t), Timeout: time.Second, FailureModeAllow: rapid.Bool().Draw(t, "failures allow"),
	}
	policy.Selector = drawSelector(t)
	return policy
}

func drawBackendTLS(t *rapid.T) *catalog.BackendTLSPolicy {
	p := &catalog.BackendTLSPolicy{Name: drawName(t), Created: created.Draw(t, "created"), Hostname: "api.example.com"}
	target := catalog.PolicyTarget{Group: catalog.PolicyGroup, Kind: string(entity.KindEgress), Name: rapid.SampledFrom(words).Draw(t, "egress")}
	p.Targets, p.Authorities = []catalog.PolicyTarget{target}, []string{rapid.SampledFrom(words).Draw(t, "authorities")}
	return p
}

func drawBackendAuthorities(t *rapid.T) *catalog.BackendAuthorities {
	a := &catalog.BackendAuthorities{Name: drawName(t)}
	if a.PEM = []byte("certificates"); rapid.Bool().Draw(t, "unusable") {
		a.PEM, a.Problem = nil, "The ConfigMap does not exist."
	}
	return a
}
