package analyze

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/finding"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// targets analyzes what TrafficTargets select.
func (a *analysis) targets() {
	for _, target := range entries[*catalog.TrafficTarget](a) {
		s := a.subject(entity.KindTrafficTarget, target.Name)
		a.destination(s, target)
		a.sources(s, target)
		a.openings(s, target)
	}
}

func (a *analysis) destination(s subject, target *catalog.TrafficTarget) {
	sa := target.Destination
	switch {
	case a.noAccount(sa):
	case !a.view.InMesh(sa.Namespace) || a.mesh.Partial && !a.has(entity.KindService, sa.Namespace):
	case len(a.view.ServicesOf(sa)) == 0:
		a.add(codeNotBehindService, s, "No Service selects a pod with service account %s, the destination: create a Service, or start the pods.", sa.Name)
	}
}

func (a *analysis) sources(s subject, target *catalog.TrafficTarget) {
	for _, sa := range target.Sources {
		switch {
		case a.noAccount(sa):
		case a.view.IsGatewayAccount(sa, names.IngressGateway, names.EgressGateway):
		case sa.Namespace == a.mesh.Namespace:
			a.add(codeSourceOutside, s, "Namespace %s of source %s has the control plane, so it cannot be part of the mesh: correct spec.sources.", sa.Namespace, sa.Name)
		case !a.view.InMesh(sa.Namespace) && !a.mesh.Partial:
			a.add(codeSourceOutside, s, "Namespace %s of source %s is not part of the mesh: add it with `osm namespace add %s`.", sa.Namespace, sa.Name, sa.Namespace)
		}
	}
}

// openings compares the rules of a TrafficTarget with the ports of its destination.
func (a *analysis) openings(s subject, target *catalog.TrafficTarget) {
	known, speaksHTTP := a.ports(target)
	if len(known) == 0 {
		return
	}
	tcp := false
	for _, rule := range target.Rules {
		if rule.Kind != entity.KindTCPRoute {
			continue
		}
		tcp = true
		route := a.view.TCPRoute(entity.Name{Namespace: target.Name.Namespace, Name: rule.Name})
		if route == nil {
			continue
		}
		if !slices.ContainsFunc(route.Ports, func(port uint16) bool { return slices.Contains(known, port) }) {
			continue // the rule grants nothing
		}
		for _, port := range route.Ports {
			if !slices.Contains(known, port) {
				a.add(codeUnknownPort, s, "TCPRoute %s has port %d, but the Services of %s have target ports %s: use the targetPort of a Service.", rule.Name, port, target.Destination.Name, finding.Numbers(known))
			}
		}
	}
	if !tcp && !speaksHTTP {
		a.add(codeWrongProtocol, s, "All rules are HTTPRouteGroups, but the ports of %s (%s) are TCP: add a rule with a TCPRoute, or set appProtocol: http in the Service.", target.Destination.Name, finding.Numbers(known))
	}
}

// ports returns the container ports of a destination, sorted, and whether any of them is HTTP.
func (a *analysis) ports(target *catalog.TrafficTarget) (known []uint16, speaksHTTP bool) {
	for _, name := range a.view.ServicesOf(target.Destination) {
		service := a.view.Service(name)
		if service == nil {
			continue
		}
		for _, port := range service.Ports {
			if number := a.view.TargetPort(service, port); number != 0 {
				known = append(known, number)
				speaksHTTP = speaksHTTP || authz.EffectiveProtocol(a.view, service, port).IsHTTP()
			}
		}
	}
	return lists.Unique(known), speaksHTTP
}

// routes reports unused route objects.
func (a *analysis) routes() {
	used := map[entity.Ref]bool{}
	for _, target := range entries[*catalog.TrafficTarget](a) {
		for _, rule := range target.Rules {
			used[entity.Ref{Kind: rule.Kind, Name: entity.Name{Namespace: target.Name.Namespace, Name: rule.Name}}] = true
		}
	}
	for _, split := range entries[*catalog.TrafficSplit](a) {
		for _, group := range split.Matches {
			used[entity.Ref{Kind: entity.KindHTTPRouteGroup, Name: entity.Name{Namespace: split.Name.Namespace, Name: group}}] = true
		}
	}
	for ref := range a.mesh.Loaded.Names {
		route := ref.Kind == entity.KindHTTPRouteGroup || ref.Kind == entity.KindTCPRoute
		if route && !used[ref] && (!a.mesh.Partial || a.has(entity.KindTrafficTarget, ref.Name.Namespace)) {
			a.add(codeUnusedRoute, a.subject(ref.Kind, ref.Name), "No TrafficTarget or TrafficSplit uses it: add a reference, or delete it.")
		}
	}
}
