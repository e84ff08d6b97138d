package authz

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// InboundRules are the rules of a workload identity for a container port with the given protocol. Without a policy,
// and for unclear parts of a policy, they allow nobody.
func InboundRules(v *catalog.View, destination identity.ServiceAccount, port uint16, protocol catalog.Protocol) Rules {
	if v.Permissive(destination.Namespace) {
		return permissiveRules(protocol)
	}
	var granting []grant
	for _, target := range v.TargetsTo(destination) {
		if g := grantOf(v, target); g.connects(port, protocol) {
			granting = append(granting, g)
		}
	}
	return rulesOf(v, granting, protocol.IsHTTP())
}

// MayConnect reports whether source may open a connection to a container port of destination.
func MayConnect(v *catalog.View, source, destination identity.ServiceAccount, port uint16, protocol catalog.Protocol) bool {
	return v.Permissive(destination.Namespace) || len(GrantingTargets(v, source, destination, port, protocol)) > 0
}

// GrantingTargets are the TrafficTargets ("<namespace>/<name>", sorted) that allow source to connect to a container
// port of destination. They do not apply when the destination's namespace, or the mesh, is permissive.
func GrantingTargets(v *catalog.View, source, destination identity.ServiceAccount, port uint16, protocol catalog.Protocol) []string {
	var policies []string
	for _, target := range v.TargetsFrom(source) {
		if target.Destination == destination && grantOf(v, target).connects(port, protocol) {
			policies = append(policies, target.Name.String())
		}
	}
	return policies
}

func permissiveRules(protocol catalog.Protocol) Rules {
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
	return v.Memo(grantKey{target}, func() any { return resolveGrant(v, target) }).(grant)
}

type grantKey struct{ target *catalog.TrafficTarget }

func resolveGrant(v *catalog.View, target *catalog.TrafficTarget) grant {
	g := grant{target: target, ports: map[uint16]bool{}}
	for _, rule := range target.Rules {
		name := catalog.Name{Namespace: target.Name.Namespace, Name: rule.Name}
		switch rule.Kind {
		case catalog.KindHTTPRouteGroup:
			if group := v.HTTPRouteGroup(name); group != nil {
				g.matches = append(g.matches, selectMatches(v, group, rule.Matches)...)
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

// connects reports whether the sources may connect to the port. A TCP port needs a TCPRoute, because HTTP rules do not
// apply to other protocols.
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
