package gateway

import (
	"fmt"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// routesOfChain is what a route of connections counts for each hostname, in addition to its backends: its filter chain is as large as these routes.
const routesOfChain = 8

// routesConnections reports whether listeners with a protocol have routes of connections.
func routesConnections(protocol string) bool {
	return slices.ContainsFunc(catalog.ListenerRouteKinds(protocol), entity.Kind.RoutesConnections)
}

// RoutesConnections reports whether the listener routes connections. Others route requests.
func (l *Listener) RoutesConnections() bool { return routesConnections(l.Protocol) }

// Scheme is that of a URL of the listener.
func (l *Listener) Scheme() string { return strings.ToLower(l.Protocol) }

// kindNames lists the kinds of routes that listeners with a protocol support.
func kindNames(protocol string) string {
	return strings.Join(lists.Map(catalog.ListenerRouteKinds(protocol), entity.Kind.APIName), " or ")
}

// rulesFor returns the rules of a host. Connections have that of the oldest route alone: nothing but the server name distinguishes them.
func (r *resolver) rulesFor(l *Listener, x routeIndex, domain string) []Rule {
	if !l.RoutesConnections() {
		return x.rules(domain, r.inheritsWiderRules(x, domain))
	}
	positions := x.positions[keyOf(domain)]
	if len(positions) == 0 {
		return nil
	}
	oldest := x.routes[positions[0]]
	for _, i := range positions[1:] {
		r.shadowed[x.routes[i].route] = fmt.Sprintf("Connections to %s of listener %s of Gateway %s have the older %s %s.",
			domain, l.Name, l.Gateway, oldest.route.Kind.APIName(), oldest.route.Name)
	}
	rule := &oldest.route.Rules[0]
	return []Rule{{rule.Matches[0], oldest.route, rule, oldest.backends[0]}}
}

// IsDenied reports whether no policy allows the ingress gateway to call any backend of a rule. It then answers 403 itself, or closes the connection.
func (r Rule) IsDenied(v *catalog.View) bool {
	account := v.GatewayAccount(names.IngressGateway)
	return !slices.ContainsFunc(r.Backends, func(b Backend) bool {
		if b.Service == nil {
			return false
		}
		rules := authz.SplitRulesFor(v, account, b.Service, b.Port)
		return rules[len(rules)-1].IsCallable()
	})
}
