package authz

import (
	"fmt"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// Decide returns the outcome of a request, and the reason, once all sidecars have the configuration for this view.
func Decide(v *catalog.View, r Request) Verdict {
	service := v.Service(r.Service)
	port, ok := portOf(service, r.Port)
	if !ok {
		return unreachable(v, r, fmt.Sprintf("the mesh has no Service %s with a port %d", r.Service, r.Port))
	}
	route := ResolveRoute(v, r.Source, service, port)
	if !route.isReachable(r.Pod) {
		return unreachable(v, r, route.missing(v, r))
	}
	if !isOffered(v, r.Source, r.Service) {
		return unreachable(v, r, fmt.Sprintf("fewer Services that %s may call in namespace %s: its sidecar has the first ones by name within %s",
			r.Source, r.Service.Namespace, OfferBound(r.Source, r.Service.Namespace)))
	}
	if port.Protocol.IsHTTP() && strings.Contains(r.Path, "#") {
		return singleAnswer(Answer{Outcome: BadRequest, Missing: "a path without a fragment (#)"})
	}
	rule, matched := matchRule(route.Rules, r)
	if rule.Routed != nil {
		return rule.decideRouted(v, r, service, port)
	}
	return rule.decide(v, r, rule.ClientChoosesPod(service), matched)
}

// DecideForwarded returns the outcome of a request that the ingress gateway, its source, forwards to a port of a Service, the backend of a route at a Gateway.
// The gateway applies the TrafficSplit for all requests; those with matches, and the routes of the Service, are for sidecars.
func DecideForwarded(v *catalog.View, r Request) Verdict {
	service := v.Service(r.Service)
	port, ok := portOf(service, r.Port)
	if !ok {
		return singleAnswer(Answer{Outcome: Unavailable, Missing: fmt.Sprintf("the mesh has no Service %s with a port %d", r.Service, r.Port)})
	}
	rules := SplitRulesFor(v, r.Source, service, port)
	return rules[len(rules)-1].decide(v, r, false, nil)
}

// decide returns the verdict on a request that a match of the rule selects. direct means that the client chose the pod.
func (r RouteRule) decide(v *catalog.View, request Request, direct bool, matched *SplitMatch) Verdict {
	verdict := Verdict{}
	for _, b := range r.Backends {
		if b.Weight > 0 {
			verdict.Answers = append(verdict.Answers, b.evaluate(v, request, direct)...)
		}
	}
	if len(verdict.Answers) == 0 {
		verdict = singleAnswer(Answer{Outcome: Unavailable, Missing: r.missing(request.Service)})
	}
	for i := range verdict.Answers {
		verdict.Answers[i].setRule(r, matched)
	}
	return verdict
}

// missing describes what the rule needs to have a destination.
func (r RouteRule) missing(service entity.Name) string {
	if r.Split == nil {
		return fmt.Sprintf("a pod behind %s, for the requests that no TrafficSplit takes", service)
	}
	return fmt.Sprintf("a backend in the TrafficSplit %s of %s that has this port and a weight", r.Split.Name, service)
}

// setRule records the rule and the match that selected the destination.
func (a *Answer) setRule(rule RouteRule, matched *SplitMatch) {
	if rule.Split != nil {
		a.Split = rule.Split.Name.String()
	}
	if matched != nil {
		a.Match = matched.String()
	}
	if rule.Routed != nil {
		a.Route = rule.Routed.Name()
	}
	if (rule.Split != nil || rule.Routed != nil) && a.Service != (entity.Name{}) {
		a.Weight, a.TotalWeight = rule.weightOf(a.Service), rule.totalWeight()
	}
}

// MissingPod is what is missing if no pod of a Service can answer.
func MissingPod(service entity.Name) string {
	return "a ready pod with a sidecar behind " + service.String()
}

// MissingDestination is what is missing if no pod is behind a Service.
func MissingDestination(service entity.Name) string { return "a pod behind " + service.String() }

// evaluate returns one answer for each candidate of the backend.
func (b WeightedBackend) evaluate(v *catalog.View, r Request, direct bool) []Answer {
	if b.Imported != nil {
		return []Answer{b.Imported.evaluate(b.Service.Name, r.Source)}
	}
	candidates := b.candidates(v, r.Pod, direct)
	if len(candidates) == 0 && b.StandIn != nil {
		return []Answer{b.StandIn.evaluate(b.Service.Name, r.Source)}
	}
	if len(candidates) == 0 {
		return []Answer{{Outcome: Unavailable, Service: b.Service.Name, Missing: MissingPod(b.Service.Name)}}
	}
	var answers []Answer
	if b.PeerShare() > 0 && b.StandIn.Ready {
		answers = append(answers, b.StandIn.evaluate(b.Service.Name, r.Source))
	}
	for _, p := range candidates {
		answers = append(answers, p.evaluate(v, r))
	}
	return answers
}

func singleAnswer(a Answer) Verdict { return Verdict{Answers: []Answer{a}} }

func portOf(service *inventory.Service, number uint16) (inventory.Port, bool) {
	if service == nil {
		return inventory.Port{}, false
	}
	i := slices.IndexFunc(service.Ports, func(p inventory.Port) bool { return p.Number == number })
	if i < 0 {
		return inventory.Port{}, false
	}
	return service.Ports[i], true
}

// unreachable is the verdict on a destination that is not in the configuration of the client's sidecar.
//
// Egress policies apply to the address like to any other.
func unreachable(v *catalog.View, r Request, missing string) Verdict {
	outcome := Refused
	switch outside := DecideEgress(v, egressRequest(v, r)); {
	case outside.Outcome == NotFound || outside.Outcome == BadRequest || outside.Outcome == Unavailable:
		outcome = outside.Outcome
	case outside.Outcome == Allowed:
		outcome = PassedThrough
	case v.AllowsEgress(r.Source.Namespace):
		outcome = PassedThrough
	case HasDestinations(v, r.Source):
		outcome = Reset
	}
	verdict := singleAnswer(Answer{Outcome: outcome, Missing: missing})
	verdict.unreachable = true
	return verdict
}

// egressRequest is a request to a Service as one to its address.
func egressRequest(v *catalog.View, r Request) EgressRequest {
	e := EgressRequest{Source: r.Source, Port: r.Port, Address: r.Pod, Protocol: inventory.ProtocolTCP, Method: r.Method, Path: r.Path}
	service := v.Service(r.Service)
	if service != nil && !service.Headless() {
		e.Address = service.ClusterIPs[0]
	}
	if port, ok := portOf(service, r.Port); ok && port.Protocol.IsHTTP() {
		e.Protocol = inventory.ProtocolHTTP
	}
	for _, h := range r.Headers {
		if h.Name == ":authority" {
			e.Host = h.Value
		} else {
			e.Headers = append(e.Headers, h)
		}
	}
	return e
}

// HasDestinations reports whether the sidecar of a client has any destination, in the mesh or outside. Without one it closes all connections.
func HasDestinations(v *catalog.View, source identity.ServiceAccount) bool {
	if len(EgressPorts(v, source)) > 0 {
		return true
	}
	for _, name := range v.Services() {
		service := v.Service(name)
		for _, port := range service.Ports {
			if ResolveRoute(v, source, service, port).hasListener() {
				return true
			}
		}
	}
	return false
}

// candidate is a workload that may receive the request.
type candidate struct {
	service  entity.Name
	identity identity.ServiceAccount
	// port is the container's port, protocol the one that the server's sidecar uses for it.
	port     uint16
	protocol inventory.Protocol
	// trusted is false when the client expects other identities and aborts the handshake.
	trusted bool
}

// evaluate returns the decision of the server's sidecar.
func (p candidate) evaluate(v *catalog.View, r Request) Answer {
	a := Answer{Service: p.service, Destination: p.identity, Port: p.port, Protocol: p.protocol}
	permissive := v.Permissive(p.identity.Namespace)
	connecting := GrantingTargets(v, r.Source, p.identity, p.port, p.protocol)
	switch {
	case !permissive && len(connecting) == 0:
		a.Outcome, a.Missing = Unavailable, missingTarget(r.Source, p.identity, p.port, p.protocol)
	case !p.trusted:
		a.Outcome, a.Missing = Unavailable, "a server that proves to be one of the identities that the client may call on this port"
	case p.protocol.IsHTTP():
		a.evaluateRequest(v, p, r)
	default:
		a.Outcome, a.Permissive = Allowed, permissive
		if !permissive {
			a.Policies = connecting
		}
	}
	return a
}

// evaluateRequest authorizes a request to an HTTP port.
func (a *Answer) evaluateRequest(v *catalog.View, p candidate, r Request) {
	m, err := serverMessage(r, v.DecodesSlashes(p.service))
	if err != nil {
		a.Outcome, a.Missing = BadRequest, err.Error()
		return
	}
	if v.Permissive(p.identity.Namespace) {
		a.Outcome, a.Permissive = Allowed, true
	} else {
		evaluatePolicies(a, v, p, r.Source, localSources, m)
	}
}

// evaluatePolicies collects the policies that grant a request. One is enough.
func evaluatePolicies[A Account[A]](a *Answer, v *catalog.View, p candidate, source A, sources sourcesOf[A], m message) {
	var others []string
	for _, target := range v.TargetsTo(p.identity) {
		g := grantOf(v, target)
		if !g.connects(p.port, p.protocol) || !slices.ContainsFunc(g.matches, m.matches) {
			continue
		}
		if admitted := sources(target); slices.Contains(admitted, source) {
			a.Policies = append(a.Policies, target.Name.String())
		} else if len(admitted) > 0 {
			others = append(others, target.Name.String())
		}
	}
	request := fmt.Sprintf("%s %.100s", m.method, m.path)
	switch {
	case len(a.Policies) > 0:
		a.Outcome = Allowed
	case len(others) > 0:
		a.Outcome = Forbidden
		a.Missing = fmt.Sprintf("%s among the sources of a TrafficTarget that grants %s, such as %s", source, request, strings.Join(others, ", "))
	default:
		a.Outcome = NotFound
		a.Missing = fmt.Sprintf("an HTTPRouteGroup match for %s, with the request's headers, in a TrafficTarget from %s to %s", request, source, p.identity)
	}
}

// missingTarget describes the policy that would allow the source to connect.
func missingTarget(source fmt.Stringer, destination identity.ServiceAccount, port uint16, protocol inventory.Protocol) string {
	rule := "an HTTPRouteGroup"
	if !protocol.IsHTTP() {
		rule = fmt.Sprintf("a TCPRoute for port %d", port)
	}
	return fmt.Sprintf("a TrafficTarget in namespace %s from %s to %s with a rule for %s", destination.Namespace, source, destination, rule)
}
