package scope

import (
	"cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// portWeight is as how many routes an inbound port counts: its routes and clients, and the rate limits of the port and of its routes.
type portWeight struct{ rules, limits int }

// portWeights has the weights of ports. Ports with the same rules and limits have the same weight, which is computed once.
type portWeights map[portWeightKey]portWeight

type portWeightKey struct {
	routes  *authz.Route
	network *authz.NetworkRule
	limits  *Limits
	http    bool
}

// of returns the weight of a port.
func (p portWeights) of(in *Inbound) portWeight {
	key := portWeightKey{first(in.Rules.Routes), first(in.Rules.Network), in.Limits, in.Protocol.IsHTTP()}
	weight, known := p[key]
	if !known {
		weight = portWeight{weightOfRules(in.Rules), weightOfLimits(in.Limits, in.Rules.Routes)}
		p[key] = weight
	}
	for _, peer := range in.Peers { // each has routes and limits of its own
		weight.rules += weightOfRules(peer.Rules)
		weight.limits += weightOfLimits(in.Limits, peer.Rules.Routes)
	}
	return weight
}

func first[E any](list []E) *E {
	if len(list) == 0 {
		return nil
	}
	return &list[0]
}

// weightOfRules counts the routes of a port, and its clients. Routes that share a list of clients share them in sidecars too.
func weightOfRules[A authz.Account[A]](rules authz.RulesOf[A]) int {
	weight := 0
	for _, rule := range rules.Network {
		weight += authz.RoutesOfClients(rule.Sources)
	}
	counted := map[*A]bool{}
	for _, route := range rules.Routes {
		weight += authz.RoutesOf(authz.MatchBytes(route.Match))
		if clients := first(route.Sources); !counted[clients] {
			counted[clients] = true
			weight += authz.RoutesOfClients(route.Sources)
		}
	}
	return weight
}

// anyPath is the path expression of limits for routes without one.
const anyPath = ".*"

// weightOfLimits counts the limits of a port, and those of its routes: each route has the limit and the descriptors of its path.
func weightOfLimits[A authz.Account[A]](limits *Limits, routes []authz.RouteOf[A]) int {
	if limits == nil {
		return 0
	}
	bytes, byPath := authz.RequestLimitBytes(limits.Requests), map[string]int{}
	for i := range limits.Routes {
		byPath[limits.Routes[i].Path] += authz.RequestLimitBytes(&limits.Routes[i].Limit)
	}
	if global := limits.GlobalRequests; global != nil {
		bytes += authz.RequestDescriptorBytes(global.Descriptors)
		for _, route := range global.Routes {
			byPath[route.Path] += authz.RequestDescriptorBytes(route.Descriptors)
		}
	}
	if global := limits.GlobalConnections; global != nil {
		bytes += authz.ConnectionDescriptorBytes(global.Descriptors)
	}
	weight := authz.RoutesOf(bytes)
	for _, route := range routes {
		if size := byPath[cmp.Or(route.Match.PathRegex, anyPath)]; size > 0 {
			weight += authz.RoutesOf(size)
		}
	}
	return weight
}

type splitRoutesKey struct{ split entity.Name }

// weightOfSplit counts the backends of all matches: in sidecars, the route of each match has all of them.
func (o outboundBuilder) weightOfSplit(rule authz.RouteRule) int {
	routes := catalog.Memo(o.view, splitRoutesKey{rule.Split.Name}, func() int { return authz.RoutesOfMatches(o.matches(rule)) })
	return routes + len(rule.Matches)*(max(1, len(rule.Backends))-1)
}

// weight counts the matches, clients and host names of the port.
func (i Ingress) weight() int {
	weight := authz.RoutesOfMatches(i.Matches) + len(i.Prefixes) + len(i.ServerNames)
	for _, principal := range i.Principals {
		weight += authz.RoutesOf(len(principal))
	}
	return weight
}
