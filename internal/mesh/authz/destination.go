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

// Destination is an identity to which a rule sends requests, whether its pods are ready or not.
type Destination struct {
	Rule     RouteRule
	Service  entity.Name
	Identity identity.ServiceAccount
	// Port is the container's port, and Protocol the one that the server's sidecar uses for it.
	Port     uint16
	Protocol inventory.Protocol
}

// Destinations returns the destinations of a request to a port of a Service, in the order of the rules. An HTTP request without a path stands for any
// request, which each of the rules may select.
func Destinations(v *catalog.View, r Request) []Destination {
	service := v.Service(r.Service)
	port, ok := portOf(service, r.Port)
	if !ok {
		return nil
	}
	rules := RouteRules(v, r.Source.Namespace, service, port)
	if port.Protocol.IsHTTP() && r.Path != "" {
		rules = []RouteRule{MatchRule(rules, r)}
	}
	var all []Destination
	for _, rule := range rules {
		for _, b := range rule.Backends {
			if b.Weight == 0 {
				continue
			}
			for _, account := range b.Identities {
				all = append(all, Destination{rule, b.Service.Name, account, b.TargetPort, b.Protocol})
			}
		}
	}
	return all
}

// SampleServerNames returns one server name for each TLSRoute of a port of a Service, or an empty one without TLSRoutes.
func SampleServerNames(v *catalog.View, r Request) []string {
	var names []string
	service := v.Service(r.Service)
	if port, ok := portOf(service, r.Port); ok {
		for _, rule := range RouteRules(v, r.Source.Namespace, service, port) {
			if rule.Routed != nil && len(rule.Routed.ServerNames) > 0 {
				names = append(names, rule.Routed.ServerNames[0])
			}
		}
	}
	if len(names) == 0 {
		return []string{""}
	}
	return names
}

// DecideAny returns whether a client may send any HTTP request at all to the destinations of a port of a Service, whether their pods are ready or not.
// Nothing is known about the response to a denied one.
func DecideAny(v *catalog.View, r Request) Verdict {
	var verdict Verdict
	imports := importedBackends(v, r)
	for _, d := range Destinations(v, r) {
		if !slices.ContainsFunc(imports, func(b WeightedBackend) bool { return b.Service.Name == d.Service }) {
			verdict.Answers = append(verdict.Answers, d.evaluateAny(v, r.Source))
		}
	}
	for _, b := range imports {
		verdict.Answers = append(verdict.Answers, b.Imported.evaluate(b.Service.Name, r.Source))
	}
	if len(verdict.Answers) == 0 {
		return singleAnswer(Answer{Outcome: Unavailable, Missing: "a pod with a sidecar behind " + r.Service.String()})
	}
	return verdict
}

func (d Destination) evaluateAny(v *catalog.View, source identity.ServiceAccount) Answer {
	a := Answer{
		Outcome: Allowed, Service: d.Service, Destination: d.Identity, Port: d.Port, Protocol: d.Protocol,
		Permissive: v.Permissive(d.Identity.Namespace),
	}
	if d.Rule.Split != nil {
		a.Split = d.Rule.Split.Name.String()
	}
	var matches []string
	for _, match := range d.Rule.Matches {
		matches = append(matches, match.String())
	}
	a.Match = strings.Join(matches, ", or ")
	if d.Rule.Routed != nil {
		a.Route = d.Rule.Routed.Name()
	}
	if !a.Permissive {
		a.Policies = GrantingTargets(v, source, d.Identity, d.Port, d.Protocol)
	}
	if len(a.Granted(v, source)) == 0 {
		a.Outcome, a.Missing = Unavailable, fmt.Sprintf("a TrafficTarget in namespace %s from %s to %s", d.Identity.Namespace, source, d.Identity)
	}
	return a
}
