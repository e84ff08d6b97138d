package envoy_test

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/envoytest"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// The ranges of names, addresses and ports are small, so that random scopes collide where real ones could.
var (
	anyName     = rapid.Map(rapid.SampledFrom([]string{"a", "b", "c"}), func(n string) entity.Name { return entity.Name{Namespace: "ns", Name: n} })
	anyAccount  = rapid.Map(rapid.SampledFrom([]string{"a", "b.c", "d"}), func(n string) identity.ServiceAccount { return identity.ServiceAccount{Namespace: "ns", Name: n} })
	anyPort     = rapid.SampledFrom([]uint16{80, 81, 8080})
	anyProtocol = rapid.SampledFrom([]inventory.Protocol{inventory.ProtocolHTTP, inventory.ProtocolGRPC, inventory.ProtocolTCP, inventory.ProtocolTCPServerFirst})
	anyAddress  = rapid.Map(rapid.SampledFrom([]string{"10.0.0.1", "10.0.0.2", "fd00::1"}), netip.MustParseAddr)
	anyRegex    = rapid.SampledFrom([]string{"", ".*", "/a", "/a/.*", "a|b", "[0-9]+(x|y){1,20}"})
)

var anyRoute = rapid.Custom(func(t *rapid.T) authz.Route {
	r := authz.Route{
		Match: catalog.HTTPMatch{
			PathRegex: anyRegex.Draw(t, "path"),
			Methods:   rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"GET", "PUT", "M-SEARCH"}), 0, 3, rapid.ID).Draw(t, "methods"),
		},
		AnySource: rapid.Bool().Draw(t, "any source"),
	}
	if rapid.Bool().Draw(t, "header") {
		r.Match.Headers = []catalog.HeaderMatch{{Name: ":authority", Regex: anyRegex.Draw(t, "host")}}
	}
	if !r.AnySource {
		r.Sources = rapid.SliceOfN(anyAccount, 0, 2).Draw(t, "sources")
	}
	return r
})

var anyInbound = rapid.Custom(func(t *rapid.T) scope.Inbound {
	in := scope.Inbound{
		Service:    anyName.Draw(t, "service"),
		Port:       anyPort.Draw(t, "port"),
		TargetPort: anyPort.Draw(t, "target"),
		Protocol:   anyProtocol.Draw(t, "protocol"),
	}
	in.Rules.Permissive = rapid.Bool().Draw(t, "permissive")
	if !in.Rules.Permissive && rapid.Bool().Draw(t, "network") {
		in.Rules.Network = []authz.NetworkRule{{Policy: "ns/p", Sources: rapid.SliceOfN(anyAccount, 0, 3).Draw(t, "clients")}}
	}
	if in.Protocol.IsHTTP() {
		in.Rules.Routes = rapid.SliceOfN(anyRoute, 0, 3).Draw(t, "routes")
	}
	in.Limits = anyLimits.Draw(t, "limits")
	in.Peers = anyPeers(t, in)
	return in
})

var anyOutbound = rapid.Custom(func(t *rapid.T) scope.Outbound {
	o := scope.Outbound{
		Service:   anyName.Draw(t, "service"),
		Port:      anyPort.Draw(t, "port"),
		Protocol:  anyProtocol.Draw(t, "protocol"),
		Addresses: rapid.SliceOfN(anyAddress, 1, 3).Draw(t, "addresses"),
	}
	if rapid.Bool().Draw(t, "headless") {
		o.PodPort = anyPort.Draw(t, "pod port")
	}
	o.Backends = anyBackends.Draw(t, "backends")
	if o.Protocol.IsHTTP() && rapid.Bool().Draw(t, "split by request") {
		o.Routes = rapid.SliceOfN(anyOutboundRoutes, 1, 2).Draw(t, "routes")
	}
	if !o.Protocol.IsHTTP() && rapid.Bool().Draw(t, "routed") {
		o.Routed, o.Backends, o.ConnectionRoutes = true, nil, anyConnectionRoutes.Draw(t, "connection routes")
	}
	return o
})

// anyConnectionRoutes generates one TCPRoute, or TLSRoutes without a common name.
var anyConnectionRoutes = rapid.Custom(func(t *rapid.T) []scope.ConnectionRoute {
	if rapid.Bool().Draw(t, "TCPRoute") {
		return []scope.ConnectionRoute{{Route: entity.Ref{Kind: entity.KindGatewayTCPRoute, Name: anyName.Draw(t, "route")}, Backends: anyBackends.Draw(t, "backends")}}
	}
	var routes []scope.ConnectionRoute
	for i, names := range [][]string{{"a.example", "*.b.example"}, {"*.example"}}[:rapid.IntRange(0, 2).Draw(t, "TLSRoutes")] {
		ref := entity.Ref{Kind: entity.KindTLSRoute, Name: entity.Name{Namespace: "shop", Name: fmt.Sprint(i)}}
		backends := append(anyBackends.Draw(t, "backends"), scope.Backend{Weight: uint32(i)})
		routes = append(routes, scope.ConnectionRoute{Route: ref, ServerNames: names, Backends: backends})
	}
	return routes
})

var anyBackends = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) scope.Backend {
	return scope.Backend{
		Cluster: scope.ClusterName(anyName.Draw(t, "backend"), anyPort.Draw(t, "backend port")),
		Weight:  rapid.SampledFrom([]uint32{0, 1, 100, 1<<32 - 1}).Draw(t, "weight"),
	}
}), 0, 3)

var anyOutboundRoutes = rapid.Custom(func(t *rapid.T) scope.OutboundRoutes {
	match := rapid.Map(anyRoute, func(r authz.Route) catalog.HTTPMatch { return r.Match })
	return scope.OutboundRoutes{Matches: rapid.SliceOfN(match, 1, 2).Draw(t, "matches"), Backends: anyBackends.Draw(t, "backends")}
})

var anyScope = rapid.Custom(func(t *rapid.T) *scope.Scope {
	s := &scope.Scope{
		Common: scope.Common{
			Key: scope.Key{
				Identity: anyAccount.Draw(t, "identity"),
				Class:    scope.Class{IPv6: rapid.Bool().Draw(t, "IPv6"), Metrics: rapid.Bool().Draw(t, "metrics")},
			},
			TrustDomain:     "cluster.local",
			AcceptAnyClient: rapid.Bool().Draw(t, "open"),
		},
		Sidecar: scope.Sidecar{
			Egress:   rapid.Bool().Draw(t, "egress"),
			Inbound:  rapid.SliceOfN(anyInbound, 0, 4).Draw(t, "inbound"),
			Outbound: rapid.SliceOfN(anyOutbound, 0, 4).Draw(t, "outbound"),
		},
	}
	s.Peers = slices.Clone(randomPeers)
	s.Clusters = clustersOf(t, s.Outbound)
	if rapid.Bool().Draw(t, "on demand") {
		s.Key.Class.OnDemand = true
		s.ServiceRanges = anyServiceRanges.Draw(t, "ranges of Services")
		for _, address := range rapid.SliceOfNDistinct(anyAddress, 0, 2, rapid.ID).Draw(t, "addresses outside") {
			s.ServicesOutside = append(s.ServicesOutside, netip.AddrPortFrom(address, anyPort.Draw(t, "port outside")))
		}
		s.LoadOnDemand()
	}
	s.Retries = anyRetries.Draw(t, "retries")
	s.EgressPorts = drawEgressPorts(t)
	if rapid.IntRange(0, 3).Draw(t, "authorizer") == 0 {
		s.ExternalAuthorization = &catalog.ExternalAuthorization{
			Address: rapid.SampledFrom([]string{"", "192.0.2.1", "opa.example.com"}).Draw(t, "authorizer address"), Port: 9191, StatPrefix: "auth",
			Timeout: anyPositiveDuration.Draw(t, "authorizer timeout"), FailureModeAllow: rapid.Bool().Draw(t, "failures allow"),
		}
	}
	if rapid.IntRange(0, 3).Draw(t, "tracing") == 0 {
		s.Tracing = &catalog.Tracing{
			Address: rapid.SampledFrom([]string{"192.0.2.1", "jaeger.example.com"}).Draw(t, "collector address"), Port: 9411, Path: "/api/v2/spans",
			OTLP: rapid.Bool().Draw(t, "over OTLP"), Sampling: rapid.Float64Range(0, 100).Draw(t, "sampling"),
		}
	}
	s.EgressUpstreams = map[string]*scope.Upstream{"one": anyUpstream.Draw(t, "egress settings")}
	return s
})

// anyServiceRanges generates ranges with some of anyAddress.
var anyServiceRanges = rapid.SampledFrom([][]netip.Prefix{
	nil, {netip.MustParsePrefix("10.0.0.0/24")}, {netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("fd00::/108")}, {netip.MustParsePrefix("10.0.0.2/32")},
})

// clustersOf returns a cluster for every backend, which is an invariant of scopes.
func clustersOf(t *rapid.T, outbound []scope.Outbound) []scope.Cluster {
	var list []scope.Cluster
	for _, o := range outbound {
		backends := slices.Clone(o.Backends)
		for _, r := range o.Routes {
			backends = append(backends, r.Backends...)
		}
		for _, b := range backends {
			service, port, _ := strings.Cut(b.Cluster, "|")
			target, _ := strconv.ParseUint(port, 10, 16)
			list = append(list, scope.Cluster{
				Service:    entity.Name{Namespace: "ns", Name: strings.TrimPrefix(service, "ns/")},
				TargetPort: uint16(target),
				Protocol:   o.Protocol,
				Identities: rapid.SliceOfN(anyAccount, 0, 2).Draw(t, "identities"),
				Upstream:   anyUpstream.Draw(t, "upstream"),
			})
		}
	}
	return list
}

// TestResourcesNeverConflict checks that no name, address or filter chain match occurs twice. Envoy would reject the
// whole configuration.
func TestResourcesNeverConflict(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		resources := envoy.Build(anyScope.Draw(t, "scope"))
		seen := map[string]bool{}
		once := func(what string) {
			if seen[what] {
				t.Fatalf("%s occurs twice", what)
			}
			seen[what] = true
		}
		for _, r := range resources {
			once(r.TypeURL + " " + r.Name)
			if l, ok := r.Message.(*listenerv3.Listener); ok {
				once(l.GetAddress().String())
				for _, a := range l.GetAdditionalAddresses() {
					once(a.GetAddress().String())
				}
				for _, c := range l.GetFilterChains() {
					once(l.GetName() + " chain " + c.GetFilterChainMatch().String())
				}
			}
		}
	})
}

// TestListenersReferToAllRoutes checks that listeners refer to exactly the existing route configurations. A sidecar
// would wait for a missing one and never subscribe to an unreferenced one.
func TestListenersReferToAllRoutes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		referenced, existing := map[string]bool{}, map[string]bool{}
		s := anyScope.Draw(t, "scope")
		s.Outbound = rapid.SliceOfNDistinct(anyOutbound, 0, 4, func(o scope.Outbound) string {
			return fmt.Sprint(o.Service, o.Port) // a Service has a port once
		}).Draw(t, "ports")
		for _, r := range envoy.Build(s) {
			switch r.TypeURL {
			case envoy.RouteType:
				existing[r.Name] = true
			case envoy.ListenerType:
				for _, match := range routesName.FindAllStringSubmatch(protojson.Format(r.Message), -1) {
					referenced[match[1]] = true
				}
			}
		}
		if diff := cmp.Diff(existing, referenced); diff != "" {
			t.Fatalf("routes that exist (-) and that listeners refer to (+):\n%s", diff)
		}
	})
}

// routesName matches the names of route configurations in a listener.
var routesName = regexp.MustCompile(`"routeConfigName": *"([^"]+)"`)

// TestBuildIsDeterministic builds twice and compares every byte.
func TestBuildIsDeterministic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anyScope.Draw(t, "scope")
		first, second := envoy.Build(s), envoy.Build(s)
		first, second = append(first, envoy.TrustSecrets(s, nil)...), append(second, envoy.TrustSecrets(s, nil)...)
		if len(first) != len(second) {
			t.Fatalf("%d resources, then %d", len(first), len(second))
		}
		for i := range first {
			if first[i].Name != second[i].Name || !proto.Equal(first[i].Message, second[i].Message) {
				t.Fatalf("resource %d is %v, then %v", i, first[i], second[i])
			}
		}
	})
}

// TestEnvoyAcceptsRandomScopes validates random scopes with the real Envoy.
func TestEnvoyAcceptsRandomScopes(t *testing.T) {
	ca := pki.New(t)
	sets := map[string][]envoy.Resource{}
	for seed := range 100 {
		sets[fmt.Sprintf("scope of seed %d", seed)] = complete(t, ca, anyScope.Example(seed))
	}
	envoytest.Validate(t, sets)
}
