package authz

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// defaultWeight is OSM's weight of a Service without a TrafficSplit. Only ratios matter.
const defaultWeight = 100

// RouteRule assigns some requests to a port of a Service to weighted backends.
type RouteRule struct {
	// Split is the TrafficSplit that defines the rule; nil for the Service's own rule, and for rules of routes.
	Split *catalog.TrafficSplit
	// Routed describes a rule of a route of the Gateway API; nil for others.
	Routed *Routed
	// Matches select the requests; any one is enough. The last rule of a port has none and applies to all remaining
	// requests.
	Matches []SplitMatch
	// Backends receive the requests by weight. If the list is empty or all weights are 0, the requests have no
	// destination.
	Backends []WeightedBackend
}

// SplitMatch is a match of an HTTPRouteGroup that a TrafficSplit refers to.
type SplitMatch struct {
	Group entity.Name
	catalog.HTTPMatch
}

// WeightedBackend is a port of a Service that receives a share of requests.
type WeightedBackend struct {
	Service *inventory.Service
	Port    inventory.Port
	// TargetPort is the container's port, and Protocol the one that the server's sidecar uses for it.
	TargetPort uint16
	Protocol   inventory.Protocol
	Weight     uint32
	// Identities are those behind the Service. A client may connect to Allowed, which only RouteRulesFor sets.
	Identities, Allowed []identity.ServiceAccount
	// Imported is set if the servers are those of a peer. There are no Identities then.
	Imported *Imported
	// StandIn is a port of a Service of a peer that answers while no pod behind the Service can, and its Share of the requests always; nil for none.
	StandIn *Imported
}

// String names the match as "<name> of HTTPRouteGroup <namespace>/<name>".
func (m SplitMatch) String() string {
	if m.Name == "" {
		return "HTTPRouteGroup " + m.Group.String()
	}
	return m.Name + " of HTTPRouteGroup " + m.Group.String()
}

// RouteRules are the rules for requests that clients of a namespace send to a port of a Service. The first rule that matches a request applies; the
// last one matches every request. Routes of the Gateway API replace TrafficSplits. An empty namespace stands for clients without routes of their own.
func RouteRules(v *catalog.View, clients string, service *inventory.Service, port inventory.Port) []RouteRule {
	if rules := routedRules(v, clients, service, port); len(rules) > 0 {
		return rules
	}
	return SplitRules(v, service, port)
}

// SplitRules are the rules of TrafficSplits. Those with matches come first, the oldest ahead, and only on HTTP ports.
//
// A backend that is the root of another split receives its share itself. Splits are not followed further, so they have
// no cycles.
func SplitRules(v *catalog.View, service *inventory.Service, port inventory.Port) []RouteRule {
	var list []RouteRule
	if port.Protocol.IsHTTP() {
		for _, split := range v.MatchingSplits(service.Name) {
			if matches := splitMatches(v, split); len(matches) > 0 {
				list = append(list, RouteRule{Split: split, Matches: matches, Backends: splitBackends(v, split, port)})
			}
		}
	}
	last := RouteRule{Split: v.Split(service.Name)}
	if last.Split != nil {
		last.Backends = splitBackends(v, last.Split, port)
	} else {
		last.Backends = appendBackend(v, nil, service, port, defaultWeight)
	}
	return append(list, last)
}

type splitMatchesKey struct{ split entity.Name }

// splitMatches are the matches of a split's existing groups, in order of the groups' names. All ports of the root Service share the list, which nobody
// may change.
func splitMatches(v *catalog.View, split *catalog.TrafficSplit) []SplitMatch {
	return catalog.Memo(v, splitMatchesKey{split.Name}, func() []SplitMatch {
		var list []SplitMatch
		for _, name := range split.Matches {
			group := v.HTTPRouteGroup(entity.Name{Namespace: split.Name.Namespace, Name: name})
			if group == nil {
				continue
			}
			for _, match := range group.Matches {
				list = append(list, SplitMatch{group.Name, match})
			}
		}
		return list
	})
}

// splitBackends are the usable backends of a split. A backend is skipped when it does not exist, has no port with the
// root's number (SMI), or its container port is not known yet.
func splitBackends(v *catalog.View, split *catalog.TrafficSplit, root inventory.Port) []WeightedBackend {
	var backends []WeightedBackend
	for _, backend := range split.Backends {
		service := v.Service(backend.Service)
		if port, ok := portOf(service, root.Number); ok {
			backends = appendBackend(v, backends, service, port, backend.Weight)
		}
	}
	return backends
}

// appendBackend adds a port of a Service whose container port is known.
func appendBackend(v *catalog.View, list []WeightedBackend, service *inventory.Service, port inventory.Port, weight uint32) []WeightedBackend {
	if backend := newBackend(v, service, port); backend.TargetPort != 0 {
		backend.Weight = weight
		list = append(list, backend)
	}
	return list
}

// newBackend returns a port of a Service without a weight. It has no target port if the container port is not known.
func newBackend(v *catalog.View, service *inventory.Service, port inventory.Port) WeightedBackend {
	if imported := importedPort(v, service, port); imported != nil {
		// The port of the container is known to the peer only.
		return WeightedBackend{Service: service, Port: port, TargetPort: port.Number, Protocol: port.Protocol, Imported: imported}
	}
	target, standIn := v.TargetPort(service, port), standInPort(v, service, port)
	switch {
	case target == 0 && standIn != nil: // no pod of this cluster has the port
		standIn.Share = 0
		return WeightedBackend{Service: service, Port: port, TargetPort: port.Number, Protocol: port.Protocol, Imported: standIn}
	case target == 0:
		return WeightedBackend{}
	}
	return WeightedBackend{
		Service: service, Port: port, TargetPort: target, Protocol: EffectiveProtocol(v, service, port), Identities: v.ServiceIdentities(service.Name),
		StandIn: standIn,
	}
}

// ClientChoosesPod reports whether requests go to the pod that the client chose: the Service is headless and takes the
// requests itself, or its split has no other backend. Load balancing would reach another member of a StatefulSet.
func (r RouteRule) ClientChoosesPod(root *inventory.Service) bool {
	return root.Headless() && len(r.Backends) == 1 && r.Backends[0].Service == root && r.Backends[0].Weight > 0
}

// MatchRule returns the rule that applies to a request.
func MatchRule(rules []RouteRule, r Request) RouteRule {
	rule, _ := matchRule(rules, r)
	return rule
}

// matchRule returns the rule for a request, and the match that selected it, if any.
func matchRule(rules []RouteRule, r Request) (RouteRule, *SplitMatch) {
	if routed := rules[0].Routed; routed != nil && routed.Route.Kind == entity.KindTLSRoute {
		return serverNameRule(rules, r.ServerName), nil
	}
	m := clientMessage(r)
	for _, r := range rules {
		if matched, ok := r.match(m); ok {
			return r, matched
		}
	}
	return RouteRule{}, nil // not reached: the last rule matches every request
}

// match returns the match that selects the request. The last rule selects every request, with a nil match.
func (r RouteRule) match(m message) (matched *SplitMatch, ok bool) {
	if r.Routed != nil {
		return nil, r.Routed.Match == nil || m.matchesRoute(r.Routed.Match)
	}
	if len(r.Matches) == 0 {
		return nil, true
	}
	i := slices.IndexFunc(r.Matches, func(match SplitMatch) bool { return m.matches(match.HTTPMatch) })
	if i < 0 {
		return nil, false
	}
	return &r.Matches[i], true
}
