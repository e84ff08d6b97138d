package verdict

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"pgregory.net/rapid"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/extauthz"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/ingressbackend"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/retry"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// meshNamespace is the namespace of the mesh. Authorization policies there apply to all pods.
const meshNamespace = "osm-system"

// authorizationTimeout is never reached, and shorter than responseTimeout.
const authorizationTimeout = responseTimeout / 2

// anyAuthorizerPort draws the port of an authorization server. One has no server.
var anyAuthorizerPort = oneOf([]uint16{authorizers[0].port, authorizers[0].port, authorizers[1].port, authorizers[1].port, absentAuthorizerPort})

// drawConfiguredAuthorization draws the authorization server of the MeshConfig; usually none.
func drawConfiguredAuthorization(t *rapid.T) *catalog.ExternalAuthorization {
	if !oneIn(t, 4, "authorization") {
		return nil
	}
	return &catalog.ExternalAuthorization{
		Address: outsideAddresses[0].String(), Port: anyAuthorizerPort.Draw(t, "authorizer"), StatPrefix: "authorization",
		Timeout: authorizationTimeout, FailureModeAllow: oneIn(t, 2, "fail open"),
	}
}

// drawAuthorization draws an ExternalAuthorization for some or all pods.
func drawAuthorization(t *rapid.T, name entity.Name) catalog.Entry {
	policy := &extauthz.Policy{Name: name, Service: Name(name.Namespace, "server"), Timeout: authorizationTimeout, FailureModeAllow: oneIn(t, 2, "fail open")}
	if oneIn(t, 3, "server of the mesh") {
		policy.Service.Namespace = meshNamespace
	}
	if !oneIn(t, 3, "all pods") {
		policy.Selector = map[string]string{appLabel: oneOf([]string{"x", "y"}).Draw(t, "selector")}
	}
	return policy
}

// drawExtensionService draws the authorization server of a namespace.
func drawExtensionService(t *rapid.T, name entity.Name) catalog.Entry {
	return &catalog.ExtensionService{Name: name, Address: outsideAddresses[0].String(), Port: anyAuthorizerPort.Draw(t, "authorizer")}
}

// drawEgress draws an Egress to the servers outside the mesh. Its hosts are addresses, because sidecars of the network have no DNS.
func drawEgress(t *rapid.T, name entity.Name) catalog.Entry {
	e := &catalog.Egress{Name: name, Created: time.Unix(int64(below(t, 2, "created")), 0), Sources: accounts[2:]}
	if name.Namespace == "a" {
		e.Sources = rapid.SliceOfNDistinct(oneOf(accounts[:2]), 1, 2, rapid.ID).Draw(t, "sources")
	}
	for _, address := range rapid.SliceOfNDistinct(oneOf(outsideAddresses), 1, 2, rapid.ID).Draw(t, "hosts") {
		e.Hosts = append(e.Hosts, address.String())
	}
	e.Prefixes = rapid.SliceOfNDistinct(oneOf(outsideRanges()), 0, 2, rapid.ID).Draw(t, "ranges")
	e.Ports = rapid.SliceOfNDistinct(anyEgressPort, 1, 4, rapid.ID).Draw(t, "ports")
	if e.Restricted = oneIn(t, 2, "restricted"); e.Restricted {
		e.RouteGroups = rapid.SliceOfNDistinct(oneOf([]string{"g1", "g2", "g2", "none"}), 1, 2, rapid.ID).Draw(t, "groups")
	}
	sortEgress(e)
	return e
}

// drawEncryption draws a BackendTLSPolicy for Egresses. It refers to the only ConfigMap of its namespace.
func drawEncryption(t *rapid.T, name entity.Name) catalog.Entry {
	policy := &catalog.BackendTLSPolicy{
		Name: name, Created: time.Unix(int64(below(t, 2, "created")), 0), Hostname: outsideName,
		Authorities: []string{"authorities"},
	}
	for _, target := range rapid.SliceOfNDistinct(oneOf([]string{"e1", "e2"}), 1, 2, rapid.ID).Draw(t, "targets") {
		policy.Targets = append(policy.Targets, catalog.PolicyTarget{Group: catalog.PolicyGroup, Kind: string(entity.KindEgress), Name: target})
	}
	return policy
}

// drawAuthorities draws whether a ConfigMap has the authority of the servers outside the mesh.
func drawAuthorities(t *rapid.T, name entity.Name) catalog.Entry {
	if oneIn(t, 4, "unusable authorities") {
		return &catalog.BackendAuthorities{Name: name, Problem: "The ConfigMap is empty."}
	}
	return &catalog.BackendAuthorities{Name: name, PEM: []byte("the authority of the servers")}
}

// sortEgress sorts the lists as the control plane does.
func sortEgress(e *catalog.Egress) {
	slices.SortFunc(e.Sources, identity.ServiceAccount.Compare)
	slices.Sort(e.Hosts)
	slices.SortFunc(e.Prefixes, netip.Prefix.Compare)
	slices.SortFunc(e.Ports, func(a, b catalog.EgressPort) int {
		return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.Protocol, b.Protocol))
	})
	slices.Sort(e.RouteGroups)
}

// outsideRanges are ranges with one address outside the mesh, or with both.
func outsideRanges() []netip.Prefix {
	return []netip.Prefix{netip.PrefixFrom(outsideAddresses[0], 32), netip.PrefixFrom(outsideAddresses[1], 32), netip.MustParsePrefix("10.77.1.0/24")}
}

// anyEgressPort draws a port of the servers outside the mesh, and also protocols that exclude each other.
var anyEgressPort = oneOf([]catalog.EgressPort{
	{Number: outsideWebPort, Protocol: inventory.ProtocolHTTP},
	{Number: outsideWebPort, Protocol: inventory.ProtocolHTTP},
	{Number: outsideOtherPort, Protocol: inventory.ProtocolHTTP},
	{Number: outsideOtherPort, Protocol: inventory.ProtocolTCP},
	{Number: outsideOtherPort, Protocol: catalog.ProtocolHTTPS},
	{Number: outsideEchoPort, Protocol: inventory.ProtocolTCP},
	{Number: outsideEchoPort, Protocol: inventory.ProtocolTCP},
	{Number: outsideEchoPort, Protocol: inventory.ProtocolHTTP},
	{Number: outsideGreetsPort, Protocol: inventory.ProtocolTCPServerFirst},
	{Number: outsideGreetsPort, Protocol: inventory.ProtocolTCP},
	{Number: outsideGreetsPort, Protocol: inventory.ProtocolHTTP},
})

// drawEgressRequest draws a request to a server outside the mesh. Its host can be another one than its address.
func drawEgressRequest(t *rapid.T) Request {
	r := Request{Pod: below(t, len(pods), "from"), To: netip.AddrPortFrom(oneOf(outsideAddresses).Draw(t, "server"), oneOf(outsidePorts).Draw(t, "port"))}
	if r.protocol() != inventory.ProtocolHTTP {
		return r
	}
	// Policies without a restriction allow the paths that others reject as ambiguous.
	r.Method, r.Path = anyMethod.Draw(t, "method"), anyPath.Draw(t, "path")+oneOf([]string{"", "", "", "/..", "//", "#/"}).Draw(t, "ambiguous")
	host := oneOf(outsideAddresses).Draw(t, "host")
	r.Headers = []authz.Header{{Name: ":authority", Value: oneOf([]string{
		host.String(), host.String(), netip.AddrPortFrom(host, r.To.Port()).String(), netip.AddrPortFrom(host, outsideWebPort).String(), "other.example",
	}).Draw(t, "authority")}}
	for range oneOf([]int{0, 0, 1, 1, 2}).Draw(t, "headers") {
		r.Headers = append(r.Headers, anyHeader.Draw(t, "header"))
	}
	return r
}

// gateway is a Service outside the mesh, with clients of the mesh behind it.
var gateway = Name("gateway", "clients")

// drawGateway draws which clients outside the mesh are behind the gateway.
func drawGateway(t *rapid.T) catalog.Entry {
	slice := &inventory.EndpointSlice{Name: Name(gateway.Namespace, "clients-1"), Service: gateway, Ports: map[string]uint16{}}
	for _, address := range rapid.SliceOfNDistinct(oneOf(outsideAddresses), 0, 2, rapid.ID).Draw(t, "behind the gateway") {
		slice.Endpoints = append(slice.Endpoints, inventory.Endpoint{Address: address, Pod: gateway, Ready: oneIn(t, 2, "ready")})
	}
	slices.SortFunc(slice.Endpoints, func(a, b inventory.Endpoint) int { return a.Address.Compare(b.Address) })
	return slice
}

// drawIngressBackend draws an IngressBackend for the clients outside the mesh. Its ranges include no pod of the mesh, because calls that pass
// through a client's sidecar count as calls from outside.
func drawIngressBackend(t *rapid.T, name entity.Name) catalog.Entry {
	b := &ingressbackend.Policy{Name: name, Created: time.Unix(int64(below(t, 2, "created")), 0)}
	b.Backends = rapid.SliceOfNDistinct(anyIngressPort(name.Namespace), 1, 4, backendOf).Draw(t, "backends")
	for _, port := range b.Backends {
		if port.TLS && !port.SkipClientCertificate {
			b.Principals = []string{"gateway.example.com"}
		}
	}
	if oneIn(t, 2, "gateway") {
		b.Gateways = []entity.Name{gateway}
	}
	if len(b.Gateways) == 0 || oneIn(t, 3, "ranges") {
		b.Prefixes = rapid.SliceOfNDistinct(oneOf(append(outsideRanges(), netip.MustParsePrefix("192.0.2.0/24"))), 1, 2, rapid.ID).Draw(t, "ranges")
	}
	if oneIn(t, 2, "restricted") {
		b.RouteGroups = rapid.SliceOfNDistinct(oneOf([]string{"g1", "g2", "g2", "none"}), 1, 2, rapid.ID).Draw(t, "groups")
	}
	sortIngressBackend(b)
	return b
}

// sortIngressBackend sorts the lists as the control plane does.
func sortIngressBackend(b *ingressbackend.Policy) {
	slices.SortFunc(b.Backends, func(x, y ingressbackend.Port) int {
		return cmp.Or(x.Service.Compare(y.Service), cmp.Compare(x.TargetPort, y.TargetPort))
	})
	slices.SortFunc(b.Prefixes, netip.Prefix.Compare)
	slices.Sort(b.RouteGroups)
}

// backendOf returns what identifies a backend of an IngressBackend.
func backendOf(p ingressbackend.Port) string { return fmt.Sprint(p.Service, p.TargetPort) }

// anyIngressPort draws an HTTP port of the pods of a Service, rarely with TLS.
func anyIngressPort(namespace string) *rapid.Generator[ingressbackend.Port] {
	return rapid.Custom(func(t *rapid.T) ingressbackend.Port {
		port := ingressbackend.Port{
			Service: anyServiceOf(namespace).Draw(t, "service"), TargetPort: oneOf([]uint16{webPort, webPort, otherPort}).Draw(t, "target port"), TLS: oneIn(t, 6, "TLS"),
		}
		port.SkipClientCertificate = port.TLS && oneIn(t, 2, "any certificate")
		return port
	})
}

// drawIngressRequest draws a request of a client outside the mesh to a pod.
func drawIngressRequest(t *rapid.T) Request {
	r := Request{From: oneOf(outsideAddresses).Draw(t, "client")}
	r.To = netip.AddrPortFrom(podAddress(below(t, len(pods), "to")), oneOf([]uint16{webPort, webPort, otherPort}).Draw(t, "pod port"))
	r.Method, r.Path = anyMethod.Draw(t, "method"), anyPath.Draw(t, "path")
	r.Headers = []authz.Header{{Name: ":authority", Value: anyHost.Draw(t, "host")}}
	for range oneOf([]int{0, 0, 1, 1, 2}).Draw(t, "headers") {
		r.Headers = append(r.Headers, anyHeader.Draw(t, "header"))
	}
	return r
}

// The following settings affect how requests are sent, but not whether they are allowed: retries, limits that are never reached,
// and health checks that always pass. No response may change because of them.

// plenty exceeds the load of every test.
const plenty = 1_000_000

// addSendingPolicies adds the generators of policies that affect how requests are sent.
func addSendingPolicies(add func(entity.Kind, int, entity.Name, func(*rapid.T) catalog.Entry)) {
	for _, name := range []entity.Name{Name("a", "retry1"), Name("b", "retry2")} {
		add(retry.Kind, 2, name, func(t *rapid.T) catalog.Entry { return drawRetry(t, name) })
	}
	for _, name := range []entity.Name{Name("a", "upstream1"), Name("a", "upstream2"), Name("b", "upstream1")} {
		add(upstream.Kind, 2, name, func(t *rapid.T) catalog.Entry { return drawUpstream(t, name) })
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

func drawRetry(t *rapid.T, name entity.Name) catalog.Entry {
	r := &retry.Policy{Name: name, Created: time.Unix(int64(below(t, 2, "created")), 0), Source: oneOf(accounts).Draw(t, "source")}
	to := rapid.Custom(func(t *rapid.T) entity.Name { return services[below(t, len(services), "destination")].name })
	r.Destinations = rapid.SliceOfNDistinct(to, 1, 3, rapid.ID).Draw(t, "destinations")
	slices.SortFunc(r.Destinations, entity.Name.Compare)
	r.Settings = retry.Settings{
		On:          oneOf([]string{"5xx", "connect-failure,reset", "gateway-error,refused-stream", "retriable-4xx,5xx"}).Draw(t, "on"),
		Count:       oneOf([]uint32{1, 2, 5}).Draw(t, "count"),
		BackoffBase: time.Millisecond,
	}
	if oneIn(t, 2, "timeout") {
		r.Settings.PerTryTimeout = responseTimeout / 2
	}
	return r
}

func drawUpstream(t *rapid.T, name entity.Name) catalog.Entry {
	u := &upstream.Policy{
		Kind: upstream.Kind, Name: name, Created: time.Unix(int64(below(t, 2, "created")), 0),
		Service: anyServiceOf(name.Namespace).Draw(t, "service"),
	}
	rate := upstream.RateLimit{Tokens: plenty, Burst: oneOf([]uint32{0, 1}).Draw(t, "burst"), Interval: oneOf([]time.Duration{time.Second, time.Minute}).Draw(t, "interval")}
	requests := upstream.RequestRateLimit{RateLimit: rate, Status: 429}
	u.Connections = drawConnections(t)
	if oneIn(t, 2, "connection rate") {
		u.ConnectionRate = &rate
	}
	if oneIn(t, 2, "request rate") {
		u.RequestRate = &requests
	}
	if oneIn(t, 2, "route rate") {
		u.Routes = []upstream.RouteRateLimit{{Path: anyPathRegex.Draw(t, "path"), Limit: requests}}
	}
	if oneIn(t, 3, "outlier detection") {
		u.OutlierDetection = &upstream.OutlierDetection{ConsecutiveErrors: plenty, Interval: time.Second, BaseEjectionTime: time.Second}
	}
	if oneIn(t, 4, "health check") {
		u.HealthCheck = &upstream.HealthCheck{Interval: time.Second, Timeout: time.Second, UnhealthyThreshold: 3, HealthyThreshold: 1}
	}
	return u
}

// drawBackpressure draws the kind of early OSM releases.
func drawBackpressure(t *rapid.T, name entity.Name) catalog.Entry {
	limit := uint32(plenty)
	return &upstream.Policy{
		Kind: upstream.Backpressure, Name: name, Service: anyServiceOf(name.Namespace).Draw(t, "service"),
		Connections: upstream.ConnectionSettings{MaxConnections: &limit},
	}
}

// drawConnections draws limits that are never reached.
func drawConnections(t *rapid.T) upstream.ConnectionSettings {
	var c upstream.ConnectionSettings
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
