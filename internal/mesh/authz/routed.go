package authz

import (
	"fmt"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// Routed describes a rule of a route of the Gateway API.
type Routed struct {
	// Route defines the rule. Of the last rule of a port, which answers 404 or closes connections, it is the first of several.
	Route *catalog.HTTPRoute
	// Rule and Match are nil for the last rule of a port. The only rule of a port with a TCPRoute has a Rule.
	Rule  *catalog.HTTPRouteRule
	Match *catalog.RouteMatch
	// ServerNames select the connections of a TLSRoute. Other routes have none.
	ServerNames []string
	// References are indexes of backends of the Rule, for each of the RouteRule's backends.
	References []int
	// Unusable is the weight of the backends that do not exist, or that the route may not refer to. Requests have status 500 in this proportion, and
	// connections are closed.
	Unusable uint32
}

// Name is the kind and name of the route, "<kind> <namespace>/<name>".
func (r *Routed) Name() string { return string(r.Route.Kind) + " " + r.Route.Name.String() }

// routedRules are the rules of the routes of the Gateway API for a port, by precedence; none without routes. Requests that no match selects have status
// 404 (GEP-1426).
func routedRules(v *catalog.View, clients string, service *inventory.Service, port inventory.Port) []RouteRule {
	routes := v.ServiceRoutes(clients, service.Name, port)
	if len(routes) == 0 {
		return nil
	}
	if routes[0].Kind.RoutesConnections() {
		return connectionRules(v, service.Name, routes)
	}
	var list []RouteRule
	backends := knownBackends{}
	for _, route := range routes {
		for i := range route.Rules {
			list = append(list, backends.matchRules(v, service.Name, route, &route.Rules[i])...)
		}
	}
	slices.SortStableFunc(list, func(a, b RouteRule) int { return catalog.CompareRouteMatches(*a.Routed.Match, *b.Routed.Match) })
	return append(list, RouteRule{Routed: &Routed{Route: routes[0]}})
}

// knownBackends are backends without weights, each resolved once: many routes of a Service have the same backends.
type knownBackends map[backendKey]WeightedBackend

type backendKey struct {
	service *inventory.Service
	port    inventory.Port
}

func (k knownBackends) get(v *catalog.View, resolved ResolvedBackend) WeightedBackend {
	key := backendKey{resolved.Service, resolved.Port}
	backend, known := k[key]
	if !known {
		backend = newBackend(v, resolved.Service, resolved.Port)
		k[key] = backend
	}
	return backend
}

// matchRules returns one rule for each match. They share their backends.
func (k knownBackends) matchRules(v *catalog.View, called entity.Name, route *catalog.HTTPRoute, rule *catalog.HTTPRouteRule) []RouteRule {
	backends, references, unusable := k.usable(v, called, route, rule)
	var list []RouteRule
	for i := range rule.Matches {
		routed := &Routed{Route: route, Rule: rule, Match: &rule.Matches[i], References: references, Unusable: unusable}
		list = append(list, RouteRule{Routed: routed, Backends: backends})
	}
	return list
}

// usable returns the backends of a rule with their indexes, and the weight of those that cannot be used.
func (k knownBackends) usable(v *catalog.View, called entity.Name, route *catalog.HTTPRoute, rule *catalog.HTTPRouteRule) (backends []WeightedBackend,
	references []int, unusable uint32,
) {
	for i, ref := range rule.Backends {
		backend, problem := ResolveBackend(v, called, route, ref)
		if problem != "" {
			unusable += ref.Weight
			continue
		}
		if usable := k.get(v, backend); usable.TargetPort != 0 {
			usable.Weight = ref.Weight
			backends, references = append(backends, usable), append(references, i)
		}
	}
	return backends, references, unusable
}

// BackendProblem is why a route cannot use a backend, a reason of the condition ResolvedRefs; empty if it can.
type BackendProblem string

// Reasons of the Gateway API.
const (
	InvalidKind     BackendProblem = "InvalidKind"
	RefNotPermitted BackendProblem = "RefNotPermitted"
	BackendNotFound BackendProblem = "BackendNotFound"
)

// ResolvedBackend is a port of a Service. Port is empty if the Service has no such port, and Service is nil if it is not in the mesh.
type ResolvedBackend struct {
	Service *inventory.Service
	Port    inventory.Port
}

// ResolveBackend returns what a route refers to for requests to the Service called, one of its parents. A Service of another namespace than the route needs a
// ReferenceGrant, also if it is a further parent. Only the Service called needs none: where it is in another namespace, the route applies to clients of the
// route's namespace only (ServiceRoutes), and these call it themselves.
func ResolveBackend(v *catalog.View, called entity.Name, route *catalog.HTTPRoute, ref catalog.RouteBackend) (ResolvedBackend, BackendProblem) {
	return resolveBackend(v, route, ref, ref.Service == called)
}

// ResolveGranted is ResolveBackend for the ingress gateway, where other clients use the route: it needs a ReferenceGrant for each other namespace.
func ResolveGranted(v *catalog.View, route *catalog.HTTPRoute, ref catalog.RouteBackend) (ResolvedBackend, BackendProblem) {
	return resolveBackend(v, route, ref, false)
}

func resolveBackend(v *catalog.View, route *catalog.HTTPRoute, ref catalog.RouteBackend, isPermitted bool) (ResolvedBackend, BackendProblem) {
	var backend ResolvedBackend
	switch {
	case ref.Unsupported != "":
		return backend, InvalidKind
	case ref.Service.Namespace != route.Name.Namespace && !isPermitted && !v.GrantsBackend(route.Ref(), ref.Service):
		return backend, RefNotPermitted
	}
	backend.Service = v.Service(ref.Service)
	port, ok := portOf(backend.Service, ref.Port)
	if !ok {
		return backend, BackendNotFound
	}
	backend.Port = port
	return backend, ""
}

// BackendFor returns a port of a Service as a destination of a client, and whether the client may call any of its identities.
func BackendFor(v *catalog.View, client identity.ServiceAccount, resolved ResolvedBackend) (WeightedBackend, bool) {
	rules := []RouteRule{{Backends: appendBackend(v, nil, resolved.Service, resolved.Port, defaultWeight)}}
	if len(rules[0].Backends) == 0 {
		return WeightedBackend{}, false
	}
	allow(v, client, rules)
	return rules[0].Backends[0], rules[0].IsCallable()
}

// decideRouted returns the verdict on a request to a port of a Service that a rule of a route selects.
func (r RouteRule) decideRouted(v *catalog.View, request Request, service *inventory.Service, port inventory.Port) Verdict {
	routed := r.Routed
	name := routed.Name()
	if answer := routed.answer(name, request); answer != nil {
		return singleAnswer(*answer)
	}
	verdict := Verdict{}
	if routed.Unusable > 0 || r.totalWeight() == 0 {
		verdict.Answers = append(verdict.Answers, Answer{
			Outcome: routed.unusable(),
			Missing: "backends of the " + name + " that exist and that it may use: see its status",
		})
	}
	direct := r.ClientChoosesPod(service) && routed.Unusable == 0 && r.Backends[0].TargetPort == v.TargetPort(service, port)
	for i, b := range r.Backends {
		if b.Weight > 0 {
			edited := EditRequest(request, routed.Match, routed.Rule.Filters)
			if own := routed.Rule.Backends[routed.References[i]].Filters; own != nil {
				edited.Headers = editHeaders(edited.Headers, own.Request)
			}
			for _, answer := range b.evaluate(v, edited, direct) {
				if !slices.Equal(edited.Headers, request.Headers) {
					answer.Headers = edited.Headers
				}
				verdict.Answers = append(verdict.Answers, answer)
			}
		}
	}
	for i := range verdict.Answers {
		verdict.Answers[i].setRule(r, nil)
	}
	return verdict
}

// totalWeight is the weight of all backends, usable or not.
func (r RouteRule) totalWeight() uint64 {
	total := uint64(0)
	if r.Routed != nil {
		total = uint64(r.Routed.Unusable)
	}
	for _, b := range r.Backends {
		total += uint64(b.Weight)
	}
	return total
}

func (r RouteRule) weightOf(service entity.Name) uint64 {
	weight := uint64(0)
	for _, b := range r.Backends {
		if b.Service.Name == service {
			weight += uint64(b.Weight)
		}
	}
	return weight
}

// answer returns what the client's sidecar answers itself; nil if it forwards the request.
func (r *Routed) answer(name string, request Request) *Answer {
	switch {
	case r.Rule == nil && r.Route.Kind.RoutesConnections():
		return &Answer{Outcome: Unavailable, Route: name, Missing: fmt.Sprintf("the server name %.100q among the hostnames of a TLSRoute of the Service, such as %s", request.ServerName, name)}
	case r.Rule == nil:
		return &Answer{Outcome: NotFound, Route: name, Missing: fmt.Sprintf("a rule for %s %.100s in a route of the Service, such as %s",
			request.Method, request.Path, name)}
	case r.Rule.Unsupported != "":
		return &Answer{Outcome: Misrouted, Route: name, Missing: "a rule that sidecars support: " + r.Rule.Unsupported}
	case r.Rule.Filters.Redirect != nil:
		return &Answer{Outcome: Redirected, Route: name, Status: r.Rule.Filters.Redirect.Status}
	}
	return nil
}

// unusable is the outcome of a request without a usable backend.
func (r *Routed) unusable() Outcome {
	if r.Route.Kind.RoutesConnections() {
		return Unavailable
	}
	return Misrouted
}

// routedTo returns the backends of the routes for the clients of a namespace.
func routedTo(v *catalog.View, clients string, service *inventory.Service) []entity.Name {
	var backends []entity.Name
	for _, port := range service.Ports {
		for _, route := range v.ServiceRoutes(clients, service.Name, port) {
			for i := range route.Rules {
				for _, backend := range route.Rules[i].Backends {
					backends = append(backends, backend.Service)
				}
			}
		}
	}
	return backends
}
