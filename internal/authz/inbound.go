package authz

import (
	"cmp"
	"maps"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/identity"
)

// Inbound is what a workload identity lets in on a container port that speaks the protocol. Without a policy, and on
// anything unclear in a policy, it lets in nobody.
func Inbound(v *catalog.View, destination identity.ServiceAccount, port uint16, protocol catalog.Protocol) Rules {
	if v.Permissive(destination.Namespace) {
		return permissive(protocol)
	}
	var rules Rules
	routes := map[string]*Route{}
	for _, target := range v.TargetsTo(destination) {
		g := grantOf(v, target)
		if !g.connects(port, protocol) {
			continue
		}
		rules.Network = append(rules.Network, NetworkRule{Policy: target.Name.String(), Sources: normalised(target.Sources)})
		if protocol.IsHTTP() {
			g.addRoutes(routes)
		}
	}
	for _, route := range routes {
		route.Sources = normalised(route.Sources)
		slices.Sort(route.Policies)
		route.Policies = slices.Compact(route.Policies)
		rules.Routes = append(rules.Routes, *route)
	}
	slices.SortFunc(rules.Routes, compareRoutes)
	return rules
}

// Connects says whether source may open a connection to destination on a container port.
func Connects(v *catalog.View, source, destination identity.ServiceAccount, port uint16, protocol catalog.Protocol) bool {
	return v.Permissive(destination.Namespace) || len(Granting(v, source, destination, port, protocol)) > 0
}

// Granting are the TrafficTargets ("<namespace>/<name>", sorted) by which source may open a connection to destination on a
// container port. They are what counts unless the destination's namespace, or the mesh, is permissive.
func Granting(v *catalog.View, source, destination identity.ServiceAccount, port uint16, protocol catalog.Protocol) []string {
	var policies []string
	for _, target := range v.TargetsFrom(source) {
		if target.Destination == destination && grantOf(v, target).connects(port, protocol) {
			policies = append(policies, target.Name.String())
		}
	}
	return policies
}

func permissive(protocol catalog.Protocol) Rules {
	rules := Rules{Permissive: true}
	if protocol.IsHTTP() {
		rules.Routes = []Route{{AnySource: true}}
	}
	return rules
}

// grant is what a TrafficTarget gives to its sources, with its references resolved.
type grant struct {
	target *catalog.TrafficTarget
	// matches are those of the HTTPRouteGroups that exist.
	matches []catalog.HTTPMatch
	// limited is true when the target has TCPRoute rules: then only their ports are granted. A TCPRoute that is missing
	// gives no port, so that a target never grants more because a part of it is gone.
	limited bool
	anyPort bool
	ports   map[uint16]bool
}

func grantOf(v *catalog.View, target *catalog.TrafficTarget) grant {
	g := grant{target: target, ports: map[uint16]bool{}}
	for _, rule := range target.Rules {
		name := catalog.Name{Namespace: target.Name.Namespace, Name: rule.Name}
		switch rule.Kind {
		case catalog.KindHTTPRouteGroup:
			if group := v.HTTPRouteGroup(name); group != nil {
				g.matches = append(g.matches, selected(v, group, rule.Matches)...)
			}
		case catalog.KindTCPRoute:
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

// connects says whether the sources may open a connection to the port. A TCP port needs a TCPRoute: HTTP rules say
// nothing about bytes that are not HTTP.
func (g grant) connects(port uint16, protocol catalog.Protocol) bool {
	switch {
	case g.limited:
		return g.anyPort || g.ports[port]
	case protocol.IsHTTP():
		return len(g.matches) > 0
	default:
		return false
	}
}

func (g grant) addRoutes(routes map[string]*Route) {
	for _, match := range g.matches {
		match.Name = ""
		key := matchKey(match)
		if routes[key] == nil {
			routes[key] = &Route{Match: match}
		}
		routes[key].Sources = append(routes[key].Sources, g.target.Sources...)
		routes[key].Policies = append(routes[key].Policies, g.target.Name.String())
	}
}

// selected are the matches of a group that a rule names; a rule that names none means all of them (SMI), or none where the mesh
// says so (OSM).
func selected(v *catalog.View, group *catalog.HTTPRouteGroup, names []string) []catalog.HTTPMatch {
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

func normalised(sources []identity.ServiceAccount) []identity.ServiceAccount {
	unique := map[identity.ServiceAccount]struct{}{}
	for _, source := range sources {
		unique[source] = struct{}{}
	}
	return slices.SortedFunc(maps.Keys(unique), identity.ServiceAccount.Compare)
}

// compareRoutes puts routes with more conditions first, so that what is routed does not depend on names.
func compareRoutes(a, b Route) int {
	return cmp.Or(
		cmp.Compare(specificity(b.Match), specificity(a.Match)),
		cmp.Compare(matchKey(a.Match), matchKey(b.Match)),
	)
}

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
