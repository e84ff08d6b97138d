package compare

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// portID is a port of a Service.
type portID struct {
	service entity.Name
	port    uint16
}

func (id portID) compare(other portID) int {
	return cmp.Or(id.service.Compare(other.service), cmp.Compare(id.port, other.port))
}

func (id portID) String() string { return fmt.Sprintf("%s:%d", id.service, id.port) }

// servicePort describes the destinations of a port of a Service.
type servicePort struct {
	http         bool
	destinations []destination
	// routeMatches are the matches of the TrafficSplits and routes of the port, except those with query parameters.
	routeMatches []catalog.HTTPMatch
	// serverNames are those that TLSRoutes select, with the names of the routes.
	serverNames map[string]string
	// routes are those of the Gateway API, of all namespaces.
	routes []*catalog.HTTPRoute
	// pods has one pod address per identity of a headless Service. It is nil for other Services.
	pods []netip.Addr
	// imports are the Services of peers among the destinations.
	imports []imported
}

// destination is an identity that receives requests to a port.
type destination struct {
	service  entity.Name
	identity identity.ServiceAccount
	// split is the index of the route rule. weighted is false if the backend has weight 0.
	split    int
	weighted bool
	// ready is true if the identity has a ready pod.
	ready bool
	rules authz.Rules
}

// portBuilder builds the servicePorts of a mesh.
type portBuilder struct {
	view  *catalog.View
	rules map[ruleKey]authz.Rules
}

type ruleKey struct {
	identity identity.ServiceAccount
	port     uint16
	protocol inventory.Protocol
}

func (b *portBuilder) buildAll() map[portID]*servicePort {
	all := map[portID]*servicePort{}
	for _, name := range b.view.Services() {
		service := b.view.Service(name)
		for _, port := range service.Ports {
			all[portID{name, port.Number}] = b.build(service, port)
		}
	}
	return all
}

func (b *portBuilder) build(service *inventory.Service, port inventory.Port) *servicePort {
	result := &servicePort{http: port.Protocol.IsHTTP(), routes: b.view.RoutesOf(service.Name, port), serverNames: map[string]string{}}
	for i, rule := range b.routeRules(service, port, result.routes) {
		if rule.Routed != nil && rule.Routed.Match != nil && len(rule.Routed.Match.Query) == 0 {
			result.routeMatches = append(result.routeMatches, requestMatch(*rule.Routed.Match))
		}
		if rule.Routed != nil {
			for _, name := range rule.Routed.ServerNames {
				result.serverNames[name] += rule.Routed.Name() + " "
			}
		}
		for _, match := range rule.Matches {
			plain := match.HTTPMatch
			plain.Name = ""
			result.routeMatches = append(result.routeMatches, plain)
		}
		for _, backend := range rule.Backends {
			if of := cmp.Or(backend.Imported, backend.StandIn); of != nil {
				result.imports = append(result.imports, imported{backend.Service.Name, of})
			}
			result.destinations = append(result.destinations, b.destinations(i, backend)...)
		}
	}
	if service.Headless() {
		result.pods = b.podPerIdentity(service, port)
	}
	return result
}

// routeRules returns the rules for the clients of all namespaces. Routes can answer requests themselves, so the rules of the Service without them are
// included too: who may call it reaches the routes.
func (b *portBuilder) routeRules(service *inventory.Service, port inventory.Port, routes []*catalog.HTTPRoute) []authz.RouteRule {
	rules := authz.RouteRules(b.view, "", service, port)
	known := map[string]bool{service.Name.Namespace: true}
	for _, route := range routes {
		if clients := route.Name.Namespace; !known[clients] {
			known[clients] = true
			rules = append(rules, authz.RouteRules(b.view, clients, service, port)...)
		}
	}
	if len(routes) > 0 {
		rules = append(rules, authz.SplitRules(b.view, service, port)...)
	}
	return rules
}

// destinations returns the identities behind a weighted backend.
func (b *portBuilder) destinations(split int, backend authz.WeightedBackend) []destination {
	backends := b.view.Backends(backend.Service, backend.Port)
	var list []destination
	for _, sa := range backend.Identities {
		list = append(list, destination{
			service: backend.Service.Name, identity: sa, split: split, weighted: backend.Weight > 0,
			ready: slices.ContainsFunc(backends, func(endpoint inventory.Backend) bool { return endpoint.Identity == sa }),
			rules: b.inboundRules(ruleKey{sa, backend.TargetPort, backend.Protocol}),
		})
	}
	return list
}

func (b *portBuilder) inboundRules(k ruleKey) authz.Rules {
	rules, known := b.rules[k]
	if !known {
		rules = authz.InboundRules(b.view, k.identity, k.port, k.protocol)
		b.rules[k] = rules
	}
	return rules
}

// podPerIdentity returns one address of each identity behind a headless Service.
func (b *portBuilder) podPerIdentity(service *inventory.Service, port inventory.Port) []netip.Addr {
	pods := []netip.Addr{}
	seen := map[identity.ServiceAccount]bool{}
	for _, endpoint := range b.view.Backends(service, port) {
		if !seen[endpoint.Identity] {
			seen[endpoint.Identity] = true
			pods = append(pods, endpoint.Address.Addr())
		}
	}
	return pods
}

// isPermissive returns true if the port accepts all sources.
func (p *servicePort) isPermissive() bool {
	return p != nil && slices.ContainsFunc(p.destinations, func(d destination) bool { return d.rules.Permissive })
}

// sources returns the identities that policies allow to connect, sorted.
func (p *servicePort) sources() []identity.ServiceAccount {
	if p == nil {
		return nil
	}
	all := p.admitted()
	for _, d := range p.destinations {
		for _, rule := range d.rules.Network {
			all = append(all, rule.Sources...)
		}
	}
	return lists.UniqueFunc(all, identity.ServiceAccount.Compare)
}

// destinationsFor returns the destinations with everything that determines the verdicts on requests of a source: whether it may connect, and what it may
// send.
func (p *servicePort) destinationsFor(source identity.ServiceAccount) []destination {
	if p == nil {
		return nil
	}
	list := slices.Clone(p.destinations)
	for i := range list {
		rules := authz.Rules{Permissive: list[i].rules.Accepts(source)}
		if rules.Permissive {
			for _, route := range list[i].rules.Granted(source) {
				rules.Routes = append(rules.Routes, authz.Route{Match: route.Match})
			}
		}
		list[i].rules = rules
	}
	return list
}

// hasQueries reports whether a match of a route has query parameters.
func (p *servicePort) hasQueries() bool {
	return p != nil && slices.ContainsFunc(p.routes, func(route *catalog.HTTPRoute) bool {
		return slices.ContainsFunc(route.Rules, func(rule catalog.HTTPRouteRule) bool {
			return slices.ContainsFunc(rule.Matches, func(m catalog.RouteMatch) bool { return len(m.Query) > 0 })
		})
	})
}
