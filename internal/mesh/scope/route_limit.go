package scope

import (
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// limitRoutes denies all requests on the inbound ports whose routes and clients are beyond authz.MaxRoutes.
func (s *Scope) limitRoutes() {
	var mesh, outside authz.RouteLimit
	for i := range s.Inbound {
		if in := &s.Inbound[i]; !mesh.Admit(s.Key.Identity.Namespace, sizeOf(in.Rules)) {
			recordTargets(&mesh, in.Rules)
			in.Rules = authz.Rules{}
			s.DeniedPorts++
		}
	}
	for i := range s.Ingress {
		if in := &s.Ingress[i]; !outside.Admit(s.Key.Identity.Namespace, in.size()) {
			outside.Record(catalog.Ref{Kind: catalog.KindIngressBackend, Name: in.Policy})
			in.admitNobody()
			s.DeniedPorts++
		}
	}
	s.addLimited(mesh.Limited())
	s.addLimited(outside.Limited())
}

// recordTargets records the TrafficTargets of a port.
func recordTargets(limit *authz.RouteLimit, rules authz.Rules) {
	for _, rule := range rules.Network {
		namespace, name, _ := strings.Cut(rule.Policy, "/")
		limit.Record(catalog.Ref{Kind: catalog.KindTrafficTarget, Name: catalog.Name{Namespace: namespace, Name: name}})
	}
}

// addLimited adds policies to Limited.
func (s *Scope) addLimited(policies []catalog.Ref) {
	if len(policies) == 0 {
		return
	}
	s.Limited = append(s.Limited, policies...)
	slices.SortFunc(s.Limited, catalog.Ref.Compare)
	s.Limited = slices.Compact(s.Limited)
}

// sizeOf counts the routes of a port, and its clients. Routes that share a list of clients share them in sidecars too.
func sizeOf(rules authz.Rules) int {
	size := len(rules.Routes)
	for _, rule := range rules.Network {
		size += len(rule.Sources)
	}
	counted := map[*identity.ServiceAccount]bool{}
	for _, route := range rules.Routes {
		if len(route.Sources) > 0 && !counted[&route.Sources[0]] {
			counted[&route.Sources[0]] = true
			size += len(route.Sources)
		}
	}
	return size
}

// sizeOfSplit counts the backends of all matches: in sidecars, the route of each match has all of them.
func sizeOfSplit(rule authz.RouteRule) int { return len(rule.Matches) * max(1, len(rule.Backends)) }
