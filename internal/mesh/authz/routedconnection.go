package authz

import (
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// connectionRules are the rules of routes of connections: that of a TCPRoute, or one for each TLSRoute, and a last one for the connections that none
// of them selects, which are closed.
func connectionRules(v *catalog.View, called entity.Name, routes []*catalog.HTTPRoute) []RouteRule {
	if routes[0].Kind == entity.KindGatewayTCPRoute {
		return []RouteRule{connectionRule(v, called, routes[0], nil)}
	}
	var list []RouteRule
	for i, owned := range ServerNames(routes) {
		if len(owned) > 0 {
			list = append(list, connectionRule(v, called, routes[i], owned))
		}
	}
	return append(list, RouteRule{Routed: &Routed{Route: routes[0]}})
}

func connectionRule(v *catalog.View, called entity.Name, route *catalog.HTTPRoute, serverNames []string) RouteRule {
	rule := &route.Rules[0]
	backends, references, unusable := knownBackends{}.usable(v, called, route, rule)
	return RouteRule{Routed: &Routed{Route: route, Rule: rule, ServerNames: serverNames, References: references, Unusable: unusable}, Backends: backends}
}

// ServerNames returns the hostnames of each of some TLSRoutes, the oldest first, without those that an older one has.
func ServerNames(routes []*catalog.HTTPRoute) [][]string {
	owned, taken := make([][]string, len(routes)), map[string]bool{}
	for i, route := range routes {
		for _, name := range route.Hostnames {
			if !taken[name] {
				taken[name] = true
				owned[i] = append(owned[i], name)
			}
		}
	}
	return owned
}

// serverNameRule returns the rule for a connection of a client that asks for a server name: that with the name, or else with the longest wildcard that
// it matches. The last rule is that for all others.
func serverNameRule(rules []RouteRule, serverName string) RouteRule {
	name := strings.ToLower(serverName)
	for candidate := name; candidate != ""; {
		i := slices.IndexFunc(rules, func(rule RouteRule) bool { return slices.Contains(rule.Routed.ServerNames, candidate) })
		if i >= 0 {
			return rules[i]
		}
		_, parent, hasParent := strings.Cut(strings.TrimPrefix(candidate, "*."), ".")
		if !hasParent {
			break
		}
		candidate = "*." + parent
	}
	return rules[len(rules)-1]
}
