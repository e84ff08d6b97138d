package meshtest

import (
	"net/netip"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

var (
	namespaces = []string{"a", "b"}
	words      = []string{"one", "two", "three"}
	protocols  = []inventory.Protocol{inventory.ProtocolHTTP, inventory.ProtocolTCP, inventory.ProtocolTCPServerFirst}
)

// Change draws a random edit of a small mesh with all kinds of entries. It uses few names, so that edits affect each other.
func Change() *rapid.Generator[catalog.Change] {
	return rapid.Custom(func(t *rapid.T) catalog.Change {
		entry := rapid.OneOf(append(policies(),
			entry(drawNamespace), entry(drawPod), entry(drawService), entry(drawSlice), entry(drawTarget),
			entry(drawGroup), entry(drawTCPRoute), entry(drawSplit), entry(drawRoute), entry(drawGrant), entry(drawSettings), entry(drawServiceRanges),
		)...).Draw(t, "entry")
		change := catalog.Set(entry)
		if rapid.IntRange(0, 4).Draw(t, "delete") == 0 {
			change.Entry = nil
		}
		return change
	})
}

func entry[E catalog.Entry](draw func(*rapid.T) E) *rapid.Generator[catalog.Entry] {
	return rapid.Custom(func(t *rapid.T) catalog.Entry { return draw(t) })
}

func drawName(t *rapid.T) entity.Name {
	return Name(rapid.SampledFrom(namespaces).Draw(t, "namespace"), rapid.SampledFrom(words).Draw(t, "name"))
}

func drawAccount(t *rapid.T) identity.ServiceAccount { return identity.ServiceAccount(drawName(t)) }

func drawNamespace(t *rapid.T) *catalog.Namespace {
	ns := &catalog.Namespace{Name: rapid.SampledFrom(namespaces).Draw(t, "namespace"), Monitored: rapid.IntRange(0, 5).Draw(t, "monitored") > 0}
	if rapid.IntRange(0, 2).Draw(t, "outspoken") == 0 {
		permissive := rapid.Bool().Draw(t, "permissive namespace")
		ns.Permissive = &permissive
	}
	ns.DecodeSlashes = rapid.IntRange(0, 3).Draw(t, "decodes escaped slashes") == 0
	ns.EgressGateway = rapid.IntRange(0, 3).Draw(t, "requires the egress gateway") == 0
	return ns
}

func address(name entity.Name) netip.Addr {
	var sum byte
	for _, c := range []byte(name.String()) {
		sum = sum*7 + c
	}
	return netip.AddrFrom4([4]byte{10, 0, 0, sum})
}

func drawPod(t *rapid.T) *inventory.Instance {
	name := drawName(t)
	pod := Pod(name.Namespace, name.Name, rapid.SampledFrom(words).Draw(t, "app"), rapid.SampledFrom(words).Draw(t, "sa"), address(name).String())
	pod.Finished = rapid.IntRange(0, 6).Draw(t, "finished") == 0
	pod.Terminating = rapid.IntRange(0, 6).Draw(t, "terminating") == 0
	pod.Tapped = rapid.IntRange(0, 6).Draw(t, "tapped") == 0
	pod.NodeUnreachable = rapid.IntRange(0, 6).Draw(t, "unreachable node") == 0
	pod.Injected = rapid.IntRange(0, 6).Draw(t, "injected") > 0
	pod.OSMSidecar = !pod.Injected && rapid.Bool().Draw(t, "sidecar of OSM")
	pod.Ports = map[string]uint16{"web": rapid.SampledFrom([]uint16{80, 81}).Draw(t, "port")}
	if rapid.IntRange(0, 6).Draw(t, "with the address of another") == 0 {
		pod.IPs = []netip.Addr{address(drawName(t))}
	}
	return pod
}

// drawServiceRanges draws ranges with all virtual addresses of drawService, some or none.
func drawServiceRanges(t *rapid.T) *catalog.ServiceCIDR {
	prefix := rapid.SampledFrom([]string{"10.96.0.0/24", "10.96.0.0/31", "10.97.0.0/24"}).Draw(t, "range")
	return &catalog.ServiceCIDR{Name: "kubernetes", Ranges: []netip.Prefix{netip.MustParsePrefix(prefix)}}
}

func drawService(t *rapid.T) *inventory.Service {
	name := drawName(t)
	service := Service(name.Namespace, name.Name, rapid.SampledFrom(words).Draw(t, "app"), "", 80, rapid.SampledFrom(protocols).Draw(t, "protocol"))
	service.Ports[0].Assumed = service.Ports[0].Protocol == inventory.ProtocolHTTP && rapid.Bool().Draw(t, "assumed")
	if rapid.Bool().Draw(t, "virtual") {
		service.ClusterIPs = []netip.Addr{netip.AddrFrom4([4]byte{10, 96, 0, rapid.ByteRange(1, 3).Draw(t, "ip")})}
	}
	if rapid.Bool().Draw(t, "named") {
		service.Ports[0].TargetPort, service.Ports[0].TargetName = 0, "web"
	}
	if rapid.IntRange(0, 3).Draw(t, "without a selector") == 0 {
		service.Selector = nil
	}
	if rapid.IntRange(0, 3).Draw(t, "says what becomes of escaped slashes") == 0 {
		decode := rapid.Bool().Draw(t, "decodes escaped slashes")
		service.DecodeSlashes = &decode
	}
	return service
}

func drawSlice(t *rapid.T) *inventory.EndpointSlice {
	service := drawName(t)
	slice := &inventory.EndpointSlice{Name: Name(service.Namespace, service.Name+"-"+rapid.SampledFrom(words).Draw(t, "slice")), Service: service}
	if number := rapid.SampledFrom([]uint16{0, 80, 81}).Draw(t, "number"); number > 0 {
		slice.Ports = map[string]uint16{"": number}
	}
	for range rapid.IntRange(0, 3).Draw(t, "endpoints") {
		pod := Name(service.Namespace, rapid.SampledFrom(words).Draw(t, "pod"))
		endpoint := inventory.Endpoint{
			Address: address(pod), Pod: pod, Ready: rapid.Bool().Draw(t, "ready"), Terminating: rapid.Bool().Draw(t, "terminating"),
		}
		if rapid.IntRange(0, 2).Draw(t, "names no pod") == 0 {
			endpoint.Pod = entity.Name{}
		}
		slice.Endpoints = append(slice.Endpoints, endpoint)
	}
	return slice
}

func drawTarget(t *rapid.T) *catalog.TrafficTarget {
	var rules []catalog.TargetRule
	for range rapid.IntRange(0, 2).Draw(t, "rules") {
		kind := rapid.SampledFrom([]entity.Kind{entity.KindHTTPRouteGroup, entity.KindTCPRoute}).Draw(t, "kind")
		rule := catalog.TargetRule{Kind: kind, Name: rapid.SampledFrom(words).Draw(t, "rule")}
		if kind == entity.KindHTTPRouteGroup && rapid.IntRange(0, 3).Draw(t, "named match") == 0 {
			rule.Matches = []string{"/x"}
		}
		rules = append(rules, rule)
	}
	return Target(rapid.SampledFrom(words).Draw(t, "name"), drawAccount(t), rules, rapid.SliceOfN(rapid.Custom(drawAccount), 0, 3).Draw(t, "sources")...)
}

func drawGroup(t *rapid.T) *catalog.HTTPRouteGroup {
	name := drawName(t)
	return Group(name.Namespace, name.Name, rapid.SliceOfN(rapid.SampledFrom([]string{"/x", "/y", "/.*"}), 0, 3).Draw(t, "paths")...)
}

func drawTCPRoute(t *rapid.T) *catalog.TCPRoute {
	return &catalog.TCPRoute{Name: drawName(t), Ports: rapid.SliceOfN(rapid.SampledFrom([]uint16{80, 81}), 0, 2).Draw(t, "ports")}
}

func drawSplit(t *rapid.T) *catalog.TrafficSplit {
	name := drawName(t)
	split := &catalog.TrafficSplit{
		Name: name, Root: Name(name.Namespace, rapid.SampledFrom(words).Draw(t, "root")),
		Created: time.Unix(rapid.Int64Range(0, 2).Draw(t, "created"), 0),
	}
	if rapid.IntRange(0, 2).Draw(t, "matching") == 0 {
		split.Matches = rapid.SliceOfNDistinct(rapid.SampledFrom(words), 1, 2, rapid.ID).Draw(t, "matches")
		slices.Sort(split.Matches)
	}
	for range rapid.IntRange(1, 3).Draw(t, "backends") {
		split.Backends = append(split.Backends, catalog.SplitBackend{
			Service: Name(name.Namespace, rapid.SampledFrom(words).Draw(t, "backend")), Weight: rapid.Uint32Range(0, 2).Draw(t, "weight"),
		})
	}
	return split
}

func drawSettings(t *rapid.T) *catalog.Settings {
	var server *catalog.ExternalAuthorization
	if rapid.IntRange(0, 4).Draw(t, "authorizer") == 0 {
		server = &catalog.ExternalAuthorization{Address: "192.0.2.9", Port: 9191, StatPrefix: "auth", Timeout: time.Second, FailureModeAllow: rapid.Bool().Draw(t, "failures allow")}
	}
	var traces *catalog.Tracing
	if rapid.IntRange(0, 4).Draw(t, "tracing") == 0 {
		traces = &catalog.Tracing{Address: "192.0.2.8", Port: 9411, Path: "/api/v2/spans", Sampling: rapid.SampledFrom([]float64{0.5, 100}).Draw(t, "sampling")}
		if rapid.Bool().Draw(t, "over OTLP") {
			traces.OTLP, traces.Path = true, ""
		}
	}
	settings := &catalog.Settings{
		// A namespace of the random mesh is that of the mesh sometimes.
		Namespace:             rapid.SampledFrom([]string{"osm-system", "a"}).Draw(t, "mesh namespace"),
		ExternalAuthorization: server,
		Tracing:               traces,
		Permissive:            rapid.IntRange(0, 3).Draw(t, "permissive") == 0, Egress: rapid.Bool().Draw(t, "egress"),
		EmptyRulesSelectNothing: rapid.IntRange(0, 3).Draw(t, "empty rules") == 0,
		UnloggedRequests:        rapid.SampledFrom([]uint32{0, 0, 900_000}).Draw(t, "unlogged requests"),
	}
	drawSwitches(t, settings)
	return settings
}

// Name is shorthand for entity.Name.
func Name(namespace, name string) entity.Name {
	return entity.Name{Namespace: namespace, Name: name}
}

// SA is shorthand for identity.ServiceAccount.
func SA(namespace, name string) identity.ServiceAccount {
	return identity.ServiceAccount{Namespace: namespace, Name: name}
}

// Pod returns a pod with a sidecar, labelled app=<app>, that runs as service account sa.
func Pod(namespace, name, app, sa, ip string) *inventory.Instance {
	return &inventory.Instance{
		Name: Name(namespace, name), ID: entity.InstanceID("uid-" + name), ServiceAccount: sa, Injected: true, Revision: "osm-v0-1-0",
		IPs: []netip.Addr{netip.MustParseAddr(ip)}, Labels: map[string]string{"app": app},
	}
}

// Service returns a Service that selects app=<app>, with one port and an equal target port.
func Service(namespace, name, app, clusterIP string, port uint16, protocol inventory.Protocol) *inventory.Service {
	s := &inventory.Service{
		Name: Name(namespace, name), Selector: map[string]string{"app": app},
		Ports: []inventory.Port{{Number: port, TargetPort: port, Protocol: protocol}},
	}
	if clusterIP != "" {
		s.ClusterIPs = []netip.Addr{netip.MustParseAddr(clusterIP)}
	}
	return s
}

// Slice returns the ready endpoints of a Service, one for each pod.
func Slice(service entity.Name, pods ...*inventory.Instance) *inventory.EndpointSlice {
	slice := &inventory.EndpointSlice{Name: Name(service.Namespace, service.Name+"-1"), Service: service}
	for _, pod := range pods {
		slice.Endpoints = append(slice.Endpoints, inventory.Endpoint{Address: pod.IPs[0], Pod: pod.Name, Ready: true})
	}
	return slice
}

// Target returns a TrafficTarget in the destination's namespace.
func Target(name string, destination identity.ServiceAccount, rules []catalog.TargetRule, sources ...identity.ServiceAccount) *catalog.TrafficTarget {
	return &catalog.TrafficTarget{Name: Name(destination.Namespace, name), Destination: destination, Rules: rules, Sources: sources}
}

// HTTP returns a rule that refers to an HTTPRouteGroup.
func HTTP(group string, matches ...string) catalog.TargetRule {
	return catalog.TargetRule{Kind: entity.KindHTTPRouteGroup, Name: group, Matches: matches}
}

// TCP returns a rule that refers to a TCPRoute.
func TCP(route string) catalog.TargetRule {
	return catalog.TargetRule{Kind: entity.KindTCPRoute, Name: route}
}

// Group returns an HTTPRouteGroup with one match for each path, named like the path.
func Group(namespace, name string, paths ...string) *catalog.HTTPRouteGroup {
	g := &catalog.HTTPRouteGroup{Name: Name(namespace, name)}
	for _, path := range paths {
		g.Matches = append(g.Matches, catalog.HTTPMatch{Name: path, PathRegex: path})
	}
	return g
}

// Apply returns a new catalog with the entries.
func Apply(entries ...catalog.Entry) *catalog.Catalog {
	c := catalog.New()
	changes := make([]catalog.Change, len(entries))
	for i, entry := range entries {
		changes[i] = catalog.Set(entry)
	}
	c.Apply(changes)
	return c
}
