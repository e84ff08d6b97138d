package authz

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// Account is an identity that can be the source of a TrafficTarget.
type Account[A any] interface {
	comparable
	Compare(A) int
	Principals(trustDomains []string) []string
	Len() int
	String() string
}

// RulesOf are the clients and requests that one workload identity allows on one of its ports.
type RulesOf[A Account[A]] struct {
	// Permissive allows every identity of the mesh. Network is then empty and Routes has one route that matches
	// everything.
	Permissive bool
	// Network lists who may connect, one rule per TrafficTarget, sorted by policy. When it is empty and Permissive is
	// false, nobody may.
	Network []NetworkRuleOf[A]
	// Routes lists who may send which requests (HTTP ports only), most specific first. A request that matches no route
	// is denied.
	Routes []RouteOf[A]
}

// NetworkRuleOf allows sources to connect because of one policy.
type NetworkRuleOf[A Account[A]] struct {
	// Policy is "<namespace>/<name>" of the TrafficTarget.
	Policy string
	// Sources are sorted.
	Sources []A
}

// RouteOf allows sources to send the requests that match. It is the union of the policies that grant the same match.
type RouteOf[A Account[A]] struct {
	Match catalog.HTTPMatch
	// AnySource is true where the mesh or the namespace is permissive.
	AnySource bool
	// Sources are sorted.
	Sources []A
	// Policies are the TrafficTargets ("<namespace>/<name>", sorted) that grant this match.
	Policies []string
}

// Rules are those for clients of this mesh, and PeerRules those for clients of one of its peers, which are never permissive.
//
//nolint:revive // one sentence describes all of them
type (
	Rules       = RulesOf[identity.ServiceAccount]
	NetworkRule = NetworkRuleOf[identity.ServiceAccount]
	Route       = RouteOf[identity.ServiceAccount]

	PeerRules       = RulesOf[identity.PeerAccount]
	PeerNetworkRule = NetworkRuleOf[identity.PeerAccount]
	PeerRoute       = RouteOf[identity.PeerAccount]
)

// rulesKey identifies the rules that some TrafficTargets grant on a port.
type rulesKey struct {
	// policies are the names of the targets, joined by commas.
	policies string
	http     bool
	// peer is the name of the peer whose accounts the rules admit; empty for those of this mesh.
	peer string
}

// sourcesOf returns the sources of a target to which some rules apply.
type sourcesOf[A Account[A]] func(*catalog.TrafficTarget) []A

// rulesOf returns what some grants allow. All ports with the same grants share one result, which nobody may change: the number of ports does not
// multiply with that of the matches.
func rulesOf[A Account[A]](v *catalog.View, grants []grant, http bool, peer string, sources sourcesOf[A]) RulesOf[A] {
	if len(grants) == 0 {
		return RulesOf[A]{}
	}
	return catalog.Memo(v, rulesKey{joinPolicies(grants), http, peer}, func() RulesOf[A] {
		var rules RulesOf[A]
		for _, g := range grants {
			rules.Network = append(rules.Network, NetworkRuleOf[A]{Policy: g.target.Name.String(), Sources: sortedUnique(sources(g.target))})
		}
		if http {
			rules.Routes = routesOf(grants, sources)
		}
		return rules
	})
}

func joinPolicies(grants []grant) string {
	var text strings.Builder
	for _, g := range grants {
		text.WriteString(g.target.Name.String() + ",")
	}
	return text.String()
}

// grantedMatch is a match and the grants that contain it.
type grantedMatch struct {
	key    string
	match  catalog.HTTPMatch
	grants []grant
}

// routesOf returns one route for each distinct match, the most specific first.
func routesOf[A Account[A]](grants []grant, sources sourcesOf[A]) []RouteOf[A] {
	matches := map[string]*grantedMatch{}
	for _, g := range grants {
		for _, match := range g.matches {
			match.Name = ""
			key := matchKey(match)
			m := matches[key]
			if m == nil {
				m = &grantedMatch{key: key, match: match}
				matches[key] = m
			}
			if last := len(m.grants) - 1; last < 0 || m.grants[last].target != g.target {
				m.grants = append(m.grants, g)
			}
		}
	}
	sorted := slices.SortedFunc(maps.Values(matches), func(a, b *grantedMatch) int {
		return cmp.Or(cmp.Compare(specificity(b.match), specificity(a.match)), cmp.Compare(a.key, b.key))
	})
	var routes []RouteOf[A]
	shared := map[string]RouteOf[A]{}
	for _, m := range sorted {
		route := routeOf(m, shared, sources)
		route.Match = m.match
		routes = append(routes, route)
	}
	return routes
}

// routeOf returns a route without its match. Matches with the same grants share the lists of sources and policies: both lists can be long.
func routeOf[A Account[A]](m *grantedMatch, shared map[string]RouteOf[A], sources sourcesOf[A]) RouteOf[A] {
	key := joinPolicies(m.grants)
	route, known := shared[key]
	if !known {
		for _, g := range m.grants {
			route.Sources = append(route.Sources, sources(g.target)...)
			route.Policies = append(route.Policies, g.target.Name.String())
		}
		route.Sources = sortedUnique(route.Sources)
		slices.Sort(route.Policies)
		shared[key] = route
	}
	return route
}

func sortedUnique[A Account[A]](sources []A) []A {
	unique := map[A]struct{}{}
	for _, source := range sources {
		unique[source] = struct{}{}
	}
	return slices.SortedFunc(maps.Keys(unique), A.Compare)
}

func localSources(target *catalog.TrafficTarget) []identity.ServiceAccount { return target.Sources }

// specificity is the number of conditions of a match. Routes with more conditions come first, so that their order does not depend on names.
func specificity(m catalog.HTTPMatch) int {
	n := len(m.Headers)
	if m.PathRegex != "" && m.PathRegex != ".*" {
		n++
	}
	if len(m.Methods) > 0 {
		n++
	}
	return n
}

// matchKey is equal for matches with the same expressions, whatever their names. Parts are quoted to keep them apart.
func matchKey(m catalog.HTTPMatch) string {
	var key strings.Builder
	key.WriteString(strconv.Quote(m.PathRegex))
	for _, method := range m.Methods {
		key.WriteByte(' ')
		key.WriteString(strconv.Quote(method))
	}
	for _, header := range m.Headers {
		key.WriteByte('\n')
		key.WriteString(strconv.Quote(header.Name))
		key.WriteByte('=')
		key.WriteString(strconv.Quote(header.Regex))
	}
	return key.String()
}

// InboundRules are the rules of a workload identity for a container port with the given protocol. Without a policy,
// and for unclear parts of a policy, they allow nobody.
func InboundRules(v *catalog.View, destination identity.ServiceAccount, port uint16, protocol inventory.Protocol) Rules {
	if v.Permissive(destination.Namespace) {
		return permissiveRules(protocol)
	}
	var granting []grant
	for _, target := range v.TargetsTo(destination) {
		if len(target.Sources) == 0 && len(target.PeerSources) > 0 {
			continue // it is about clients of peers only
		}
		if g := grantOf(v, target); g.connects(port, protocol) {
			granting = append(granting, g)
		}
	}
	return rulesOf(v, granting, protocol.IsHTTP(), "", localSources)
}

// MayConnect reports whether source may open a connection to a container port of destination.
func MayConnect(v *catalog.View, source, destination identity.ServiceAccount, port uint16, protocol inventory.Protocol) bool {
	return v.Permissive(destination.Namespace) || len(GrantingTargets(v, source, destination, port, protocol)) > 0
}

// GrantingTargets are the TrafficTargets ("<namespace>/<name>", sorted) that allow source to connect to a container
// port of destination. They do not apply when the destination's namespace, or the mesh, is permissive.
func GrantingTargets(v *catalog.View, source, destination identity.ServiceAccount, port uint16, protocol inventory.Protocol) []string {
	var policies []string
	for _, target := range v.TargetsFrom(source) {
		if target.Destination == destination && grantOf(v, target).connects(port, protocol) {
			policies = append(policies, target.Name.String())
		}
	}
	return policies
}

func permissiveRules(protocol inventory.Protocol) Rules {
	rules := Rules{Permissive: true}
	if protocol.IsHTTP() {
		rules.Routes = []Route{{AnySource: true}}
	}
	return rules
}

// grant is what a TrafficTarget allows, with its references resolved.
type grant struct {
	target *catalog.TrafficTarget
	// matches are those of the HTTPRouteGroups that exist.
	matches []catalog.HTTPMatch
	// limited is true when the target has TCPRoute rules: only their ports are granted. A missing TCPRoute grants no
	// port, so a target never grants more because a part of it is missing.
	limited bool
	anyPort bool
	ports   map[uint16]bool
}

// grantOf resolves a target, once for a view: it is read for each port of its destination.
func grantOf(v *catalog.View, target *catalog.TrafficTarget) grant {
	return catalog.Memo(v, grantKey{target}, func() grant { return resolveGrant(v, target) })
}

type grantKey struct{ target *catalog.TrafficTarget }

func resolveGrant(v *catalog.View, target *catalog.TrafficTarget) grant {
	g := grant{target: target, ports: map[uint16]bool{}}
	for _, rule := range target.Rules {
		name := entity.Name{Namespace: target.Name.Namespace, Name: rule.Name}
		switch rule.Kind {
		case entity.KindHTTPRouteGroup:
			if group := v.HTTPRouteGroup(name); group != nil {
				g.matches = append(g.matches, selectMatches(v, group, rule.Matches)...)
			}
		case entity.KindTCPRoute:
			g.limited = true
			g.addPorts(v.TCPRoute(name))
		}
	}
	return g
}

func (g *grant) addPorts(route *catalog.TCPRoute) {
	if route == nil {
		return
	}
	g.anyPort = g.anyPort || len(route.Ports) == 0
	for _, port := range route.Ports {
		g.ports[port] = true
	}
}

// connects reports whether the sources may connect to the port. A TCP port needs a TCPRoute, because HTTP rules do not
// apply to other protocols.
func (g grant) connects(port uint16, protocol inventory.Protocol) bool {
	switch {
	case g.limited:
		return g.anyPort || g.ports[port]
	case protocol.IsHTTP():
		return len(g.matches) > 0
	default:
		return false
	}
}

// selectMatches returns the matches of a group that a rule names. A rule that names none selects all of them (SMI), or
// none if the mesh is configured so (OSM).
func selectMatches(v *catalog.View, group *catalog.HTTPRouteGroup, names []string) []catalog.HTTPMatch {
	if len(names) == 0 && !v.Settings().EmptyRulesSelectNothing {
		return group.Matches
	}
	var matches []catalog.HTTPMatch
	for _, match := range group.Matches {
		if slices.Contains(names, match.Name) {
			matches = append(matches, match)
		}
	}
	return matches
}
