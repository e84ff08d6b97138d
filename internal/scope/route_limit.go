package scope

import (
	"github.com/openservicemesh/osm-operator/internal/authz"
	"github.com/openservicemesh/osm-operator/internal/identity"
)

// limitRoutes denies all requests on the inbound ports whose routes and clients are beyond authz.MaxRoutes.
func (s *Scope) limitRoutes() {
	mesh, outside := authz.RouteLimit{}, authz.RouteLimit{}
	for i := range s.Inbound {
		if in := &s.Inbound[i]; !mesh.Admit(s.Key.Identity.Namespace, sizeOf(in.Rules)) {
			in.Rules = authz.Rules{}
			s.DeniedPorts++
		}
	}
	for i := range s.Ingress {
		if in := &s.Ingress[i]; !outside.Admit(s.Key.Identity.Namespace, len(in.Matches)) {
			in.Matches = nil
			s.DeniedPorts++
		}
	}
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
