package verdict

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/extauthz"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/ingressbackend"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// slot generates one object of the mesh. A nil object means that it does not exist.
type slot struct {
	ref  entity.Ref
	draw func(*rapid.T) catalog.Entry
	// always is true if the object must exist; weight is the relative frequency of edits.
	always bool
	weight int
	// rare is true for an object that most meshes do not have, because it denies much.
	rare bool
}

// services are the possible Services, with the last byte of their virtual addresses. Two share an address, because an address can
// move to another Service, and a sidecar can receive both changes at once. Some may have no selector, and handwritten EndpointSlices.
var services = []struct {
	name             entity.Name
	address          byte
	mayBeHandwritten bool
}{
	{Name("a", "s1"), 1, false},
	{Name("a", "s2"), 2, true},
	{Name("a", "s3"), sharedAddress, false},
	{Name("a", "s4"), sharedAddress, true},
	{Name("b", "s5"), 5, false},
	{Name("b", "s6"), 6, true},
}

// sharedAddress is the last byte of the shared address.
const sharedAddress = 3

func virtualAddress(n byte) netip.Addr { return netip.AddrFrom4([4]byte{10, 96, 0, n}) }

func virtualAddress6(n byte) netip.Addr {
	return netip.AddrFrom16([16]byte{0: 0xfd, 1: 0x96, 15: n})
}

// slots returns the generators of all objects. They use few names, so that objects refer to each other.
func slots() []slot {
	list := []slot{{ref: entity.Ref{Kind: entity.KindSettings}, draw: drawSettings, always: true, weight: 2}}
	add := func(kind entity.Kind, weight int, name entity.Name, draw func(*rapid.T) catalog.Entry) {
		list = append(list, slot{ref: entity.Ref{Kind: kind, Name: name}, draw: draw, always: kind == entity.KindPod, weight: weight})
	}
	for _, namespace := range namespaces {
		add(entity.KindNamespace, 2, Name(namespace, ""), func(t *rapid.T) catalog.Entry { return drawNamespace(t, namespace) })
	}
	for i, p := range pods {
		add(entity.KindPod, 1, p.name, func(t *rapid.T) catalog.Entry { return drawPod(t, i) })
	}
	for i, s := range services {
		add(entity.KindService, 2, s.name, func(t *rapid.T) catalog.Entry { return drawService(t, i) })
	}
	for i := range 9 {
		namespace := []string{"a", "a", "b"}[i%3]
		name := Name(namespace, fmt.Sprintf("t%d", i))
		add(entity.KindTrafficTarget, 3, name, func(t *rapid.T) catalog.Entry { return drawTarget(t, name) })
	}
	for _, name := range []entity.Name{Name("a", "g1"), Name("a", "g2"), Name("b", "g1"), Name("b", "g2")} {
		add(entity.KindHTTPRouteGroup, 5, name, func(t *rapid.T) catalog.Entry { return drawGroup(t, name) })
	}
	for _, name := range []entity.Name{Name("a", "r1"), Name("b", "r1")} {
		add(entity.KindTCPRoute, 3, name, func(t *rapid.T) catalog.Entry { return drawTCPRoute(t, name) })
	}
	for _, name := range []entity.Name{Name("a", "split1"), Name("a", "split2"), Name("a", "split3"), Name("b", "split1"), Name("b", "split2")} {
		add(entity.KindTrafficSplit, 4, name, func(t *rapid.T) catalog.Entry { return drawSplit(t, name) })
	}
	for i, s := range services {
		for _, suffix := range []string{"m1", "m2"} {
			if !s.mayBeHandwritten {
				continue
			}
			add(entity.KindEndpointSlice, 2, Name(s.name.Namespace, s.name.Name+"-"+suffix), func(t *rapid.T) catalog.Entry { return drawHandwritten(t, i, suffix) })
		}
	}
	addRoutes(add)
	addPeers(add)
	addSendingPolicies(add)
	add(entity.KindEndpointSlice, 2, Name(gateway.Namespace, "clients-1"), drawGateway)
	for _, name := range []entity.Name{Name("a", "i1"), Name("a", "i2"), Name("b", "i1")} {
		add(ingressbackend.Kind, 4, name, func(t *rapid.T) catalog.Entry { return drawIngressBackend(t, name) })
	}
	for _, name := range []entity.Name{Name("a", "e1"), Name("a", "e2"), Name("b", "e1")} {
		add(entity.KindEgress, 4, name, func(t *rapid.T) catalog.Entry { return drawEgress(t, name) })
	}
	for _, namespace := range append([]string{meshNamespace}, namespaces...) {
		policy, server := Name(namespace, "authorization"), Name(namespace, "server")
		add(entity.KindExtensionService, 2, server, func(t *rapid.T) catalog.Entry { return drawExtensionService(t, server) })
		add(extauthz.Kind, 2, policy, func(t *rapid.T) catalog.Entry { return drawAuthorization(t, policy) })
		list[len(list)-1].rare = true
	}
	for _, namespace := range namespaces {
		policy, authorities := Name(namespace, "encryption"), Name(namespace, "authorities")
		add(entity.KindBackendTLSPolicy, 2, policy, func(t *rapid.T) catalog.Entry { return drawEncryption(t, policy) })
		add(entity.KindBackendAuthorities, 1, authorities, func(t *rapid.T) catalog.Entry { return drawAuthorities(t, authorities) })
		list[len(list)-1].always = true
	}
	backpressure := Name("a", "upstream1")
	add(upstream.Backpressure, 1, backpressure, func(t *rapid.T) catalog.Entry { return drawBackpressure(t, backpressure) })
	return list
}

// exists draws whether a mesh has the object.
func (s slot) exists(t *rapid.T) bool {
	if s.rare {
		return oneIn(t, 3, "with "+s.ref.Name.String())
	}
	return s.always || !oneIn(t, 6, "without "+s.ref.Name.String())
}

// AnyState draws a mesh with at least one Service.
func AnyState() *rapid.Generator[State] {
	return rapid.Custom(func(t *rapid.T) State {
		w := State{}
		for _, s := range slots() {
			if s.exists(t) {
				w[s.ref] = s.draw(t)
			}
		}
		first := entity.Ref{Kind: entity.KindService, Name: services[0].name}
		if w[first] == nil {
			w[first] = drawService(t, 0)
		}
		return w
	})
}

// AnyEdit draws a change of one object, or of two at once.
func AnyEdit() *rapid.Generator[[]catalog.Change] {
	var weighted []slot
	for _, s := range slots() {
		weighted = append(weighted, slices.Repeat([]slot{s}, s.weight)...)
	}
	return rapid.Custom(func(t *rapid.T) []catalog.Change {
		var list []catalog.Change
		for range oneOf([]int{1, 1, 1, 2}).Draw(t, "objects") {
			s := weighted[below(t, len(weighted), "object")]
			change := catalog.Change{Ref: s.ref}
			if s.always || !oneIn(t, 6, "remove") {
				change.Entry = s.draw(t)
			}
			list = append(list, change)
		}
		return list
	})
}

func drawSettings(t *rapid.T) catalog.Entry {
	settings := &catalog.Settings{
		Namespace: meshNamespace, ExternalAuthorization: drawConfiguredAuthorization(t),
		Permissive: oneIn(t, 6, "permissive"), Egress: oneIn(t, 3, "egress"), EmptyRulesSelectNothing: oneIn(t, 5, "empty rules"),
		UnloggedRequests: oneOf([]uint32{0, 0, 900_000}).Draw(t, "unlogged requests"),
	}
	drawSwitches(t, settings)
	// All ranges have a common version, because sidecars apply a change at different times.
	settings.TLS = catalog.TLS{MinVersion: oneOf([]string{"TLSv1_2", "TLSv1_3"}).Draw(t, "oldest TLS"), MaxVersion: "TLSv1_3"}
	return settings
}

// drawNamespace draws a namespace that usually does not override the mesh.
func drawNamespace(t *rapid.T, name string) catalog.Entry {
	ns := &catalog.Namespace{Name: name, Monitored: true}
	if oneIn(t, 4, "outspoken") {
		permissive := oneIn(t, 2, "permissive namespace")
		ns.Permissive = &permissive
	}
	ns.DecodeSlashes = oneIn(t, 3, "decodes escaped slashes")
	return ns
}

func drawPod(t *rapid.T, i int) catalog.Entry {
	state := oneOf([]string{ready, ready, ready, ready, unready, terminating, leaving, unreachable}).Draw(t, "state")
	return newPod(i, oneOf([]string{"x", "y"}).Draw(t, "app"), state)
}

func drawService(t *rapid.T, i int) catalog.Entry {
	s := &inventory.Service{Name: services[i].name, Selector: map[string]string{appLabel: oneOf([]string{"x", "y"}).Draw(t, "selector")}}
	if services[i].mayBeHandwritten && oneIn(t, 2, "without a selector") {
		s.Selector = nil
	}
	if oneIn(t, 3, "says what becomes of escaped slashes") {
		s.DecodeSlashes = new(!oneIn(t, 3, "rejects them"))
	}
	if !oneIn(t, 4, "headless") {
		s.ClusterIPs = []netip.Addr{virtualAddress(services[i].address)}
		// A shared address is the only one of its Service, because Kubernetes never moves one of several addresses.
		if oneIn(t, 3, "dual stack") && services[i].address != sharedAddress {
			s.ClusterIPs = append(s.ClusterIPs, virtualAddress6(services[i].address))
		}
	}
	for _, port := range rapid.SliceOfNDistinct(anyPort, 1, 4, func(p inventory.Port) uint16 { return p.Number }).Draw(t, "ports") {
		port.Name = fmt.Sprintf("p%d", port.Number)
		s.Ports = append(s.Ports, port)
	}
	slices.SortFunc(s.Ports, func(a, b inventory.Port) int { return int(a.Number) - int(b.Number) })
	return s
}

// anyPort draws a port whose protocol matches its application. Port 83 may have either protocol; 84 also targets the web port.
var anyPort = oneOf([]inventory.Port{
	{Number: 80, TargetPort: webPort, Protocol: inventory.ProtocolHTTP},
	{Number: 80, TargetName: "web", Protocol: inventory.ProtocolHTTP},
	{Number: 80, TargetPort: otherPort, Protocol: inventory.ProtocolHTTP},
	{Number: 80, TargetPort: webPort, Protocol: inventory.ProtocolGRPC},
	{Number: 81, TargetPort: echoPort, Protocol: inventory.ProtocolTCP},
	{Number: 81, TargetPort: echoPort, Protocol: inventory.ProtocolTCP, TLS: true},
	{Number: 82, TargetPort: greetsPort, Protocol: inventory.ProtocolTCPServerFirst},
	{Number: 83, TargetPort: otherPort, Protocol: inventory.ProtocolHTTP},
	{Number: 83, TargetPort: otherPort, Protocol: inventory.ProtocolTCP},
	{Number: 84, TargetPort: webPort, Protocol: inventory.ProtocolHTTP},
})

func drawTarget(t *rapid.T, name entity.Name) catalog.Entry {
	target := &catalog.TrafficTarget{Name: name, Destination: accounts[2]}
	if name.Namespace == "a" {
		target.Destination = oneOf(accounts[:2]).Draw(t, "destination")
	}
	target.Sources = rapid.SliceOfNDistinct(oneOf(accounts), 1, 3, rapid.ID).Draw(t, "sources")
	target.PeerSources = drawPeerSources(t)
	if oneIn(t, 10, "no rules") {
		return target
	}
	http := []catalog.TargetRule{HTTP("g1"), HTTP("g2"), HTTP("g1", "m0"), HTTP("g2", "m0"), HTTP("g1", "m0", "m1")}
	target.Rules = append(target.Rules, oneOf(slices.Concat(http, http, []catalog.TargetRule{TCP("r1"), TCP("r1"), TCP("r1")})).Draw(t, "rule"))
	if oneIn(t, 3, "another rule") {
		target.Rules = append(target.Rules, oneOf(append(http, TCP("r1"), HTTP("none"), TCP("none"))).Draw(t, "other rule"))
	}
	return target
}

func drawGroup(t *rapid.T, name entity.Name) catalog.Entry {
	g := &catalog.HTTPRouteGroup{Name: name}
	for i := range oneOf([]int{1, 2, 3, 2, 1, 2, 3, 0}).Draw(t, "matches") {
		match := catalog.HTTPMatch{Name: fmt.Sprintf("m%d", i), PathRegex: anyPathRegex.Draw(t, "path")}
		if oneIn(t, 3, "methods") {
			match.Methods = rapid.SliceOfNDistinct(anyMethod, 1, 2, rapid.ID).Draw(t, "methods")
			slices.Sort(match.Methods)
		}
		if oneIn(t, 4, "header") {
			match.Headers = []catalog.HeaderMatch{anyHeaderMatch.Draw(t, "header")}
		}
		g.Matches = append(g.Matches, match)
	}
	return g
}

func drawTCPRoute(t *rapid.T, name entity.Name) catalog.Entry {
	ports := oneOf([]uint16{webPort, otherPort, echoPort, greetsPort})
	return &catalog.TCPRoute{Name: name, Ports: rapid.SliceOfNDistinct(ports, 0, 3, rapid.ID).Draw(t, "ports")}
}

func drawSplit(t *rapid.T, name entity.Name) catalog.Entry {
	anyService := anyServiceOf(name.Namespace)
	split := &catalog.TrafficSplit{Name: name, Root: anyService.Draw(t, "root"), Created: time.Unix(int64(below(t, 2, "created")), 0)}
	if oneIn(t, 2, "by request") {
		split.Matches = rapid.SliceOfNDistinct(oneOf([]string{"g1", "g2", "g2", "none"}), 1, 2, rapid.ID).Draw(t, "groups")
		slices.Sort(split.Matches)
	}
	for _, backend := range rapid.SliceOfNDistinct(anyService, 1, 3, rapid.ID).Draw(t, "backends") {
		weight := oneOf([]uint32{1, 1, 3, 0}).Draw(t, "weight")
		split.Backends = append(split.Backends, catalog.SplitBackend{Service: backend, Weight: weight})
	}
	return split
}

// anyServiceOf draws the name of a Service of a namespace.
func anyServiceOf(namespace string) *rapid.Generator[entity.Name] {
	local := services[:4]
	if namespace == "b" {
		local = services[4:]
	}
	return rapid.Custom(func(t *rapid.T) entity.Name { return local[below(t, len(local), "service")].name })
}
