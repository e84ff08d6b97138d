package analyze

import (
	"fmt"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/load"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// targets analyzes the references of TrafficTargets.
func (a *analysis) targets() {
	for _, target := range entries[*catalog.TrafficTarget](a) {
		s := a.subject(catalog.KindTrafficTarget, target.Name)
		a.destination(s, target)
		a.sources(s, target)
		for _, rule := range target.Rules {
			a.rule(s, target, rule)
		}
		a.openings(s, target)
	}
}

func (a *analysis) destination(s subject, target *catalog.TrafficTarget) {
	sa := target.Destination
	switch {
	case a.noAccount(sa):
		a.add(codeNoDestination, s, "Destination service account %s not found in namespace %s: correct spec.destination, or create it.", sa.Name, sa.Namespace)
	case !a.view.InMesh(sa.Namespace) || a.mesh.Partial && !a.has(catalog.KindService, sa.Namespace):
	case len(a.view.ServicesOf(sa)) == 0:
		a.add(codeNotBehindService, s, "No Service selects a pod with service account %s, the destination: create a Service, or start the pods.", sa.Name)
	}
}

func (a *analysis) sources(s subject, target *catalog.TrafficTarget) {
	for _, sa := range target.Sources {
		switch {
		case a.noAccount(sa):
			a.add(codeNoSource, s, "Source service account %s not found in namespace %s: correct spec.sources, or create it.", sa.Name, sa.Namespace)
		case a.view.IsGatewayAccount(sa, names.IngressGateway, names.EgressGateway):
		case sa.Namespace == a.mesh.Namespace:
			a.add(codeSourceOutside, s, "Namespace %s of source %s has the control plane, so it cannot be part of the mesh: correct spec.sources.", sa.Namespace, sa.Name)
		case !a.view.InMesh(sa.Namespace) && !a.mesh.Partial:
			a.add(codeSourceOutside, s, "Namespace %s of source %s is not part of the mesh: add it with `osm namespace add %s`.", sa.Namespace, sa.Name, sa.Namespace)
		}
	}
}

// rule analyzes the route object of a rule.
func (a *analysis) rule(s subject, target *catalog.TrafficTarget, rule catalog.TargetRule) {
	name := catalog.Name{Namespace: target.Name.Namespace, Name: rule.Name}
	if !a.exists(rule.Kind, name) {
		a.add(codeNoRoute, s, "%s %s not found, so the rule grants nothing: create it in namespace %s, or correct the name.", rule.Kind, rule.Name, name.Namespace)
		return
	}
	group := a.view.HTTPRouteGroup(name)
	if rule.Kind != catalog.KindHTTPRouteGroup || group == nil {
		return
	}
	for _, desired := range rule.Matches {
		if !slices.ContainsFunc(group.Matches, func(m catalog.HTTPMatch) bool { return m.Name == desired }) {
			a.add(codeNoMatch, s, "HTTPRouteGroup %s has no valid match %q, so this part of the rule grants nothing: add the match, or correct the name.", rule.Name, desired)
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
		if rule.Kind != catalog.KindTCPRoute {
			continue
		}
		tcp = true
		route := a.view.TCPRoute(catalog.Name{Namespace: target.Name.Namespace, Name: rule.Name})
		if route == nil {
			continue
		}
		severity := diagnosis.Error // the rule grants nothing
		if slices.ContainsFunc(route.Ports, func(port uint16) bool { return slices.Contains(known, port) }) {
			severity = a.codes[codeUnknownPort].Severity
		}
		for _, port := range route.Ports {
			if !slices.Contains(known, port) {
				a.reportf(codeUnknownPort, severity, s, "TCPRoute %s has port %d, but the Services of %s have target ports %s: use the targetPort of a Service.", rule.Name, port, target.Destination.Name, numbers(known))
			}
		}
	}
	if !tcp && !speaksHTTP {
		a.add(codeWrongProtocol, s, "All rules are HTTPRouteGroups, but the ports of %s (%s) are TCP: add a rule with a TCPRoute, or set appProtocol: http in the Service.", target.Destination.Name, numbers(known))
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
	slices.Sort(known)
	return slices.Compact(known), speaksHTTP
}

func numbers(list []uint16) string {
	parts := make([]string, len(list))
	for i, n := range list {
		parts[i] = fmt.Sprint(n)
	}
	return strings.Join(parts, ", ")
}

// routes reports unused route objects.
func (a *analysis) routes() {
	used := map[catalog.Ref]bool{}
	for _, target := range entries[*catalog.TrafficTarget](a) {
		for _, rule := range target.Rules {
			used[catalog.Ref{Kind: rule.Kind, Name: catalog.Name{Namespace: target.Name.Namespace, Name: rule.Name}}] = true
		}
	}
	for _, split := range entries[*catalog.TrafficSplit](a) {
		for _, group := range split.Matches {
			used[catalog.Ref{Kind: catalog.KindHTTPRouteGroup, Name: catalog.Name{Namespace: split.Name.Namespace, Name: group}}] = true
		}
	}
	for ref := range a.mesh.Loaded.Names {
		route := ref.Kind == catalog.KindHTTPRouteGroup || ref.Kind == catalog.KindTCPRoute
		if route && !used[ref] && (!a.mesh.Partial || a.has(catalog.KindTrafficTarget, ref.Name.Namespace)) {
			a.add(codeUnusedRoute, a.subject(ref.Kind, ref.Name), "No TrafficTarget or TrafficSplit uses it: add a reference, or delete it.")
		}
	}
}

// egress analyzes the references of Egresses.
func (a *analysis) egress() {
	for _, policy := range entries[*catalog.Egress](a) {
		s := a.subject(catalog.KindEgress, policy.Name)
		for _, source := range policy.Sources {
			if a.noAccount(source) {
				a.add(codeNoSource, s, "Source service account %s not found in namespace %s: correct spec.sources, or create it.", source.Name, source.Namespace)
			}
		}
		for _, name := range policy.RouteGroups {
			if !a.exists(catalog.KindHTTPRouteGroup, catalog.Name{Namespace: policy.Name.Namespace, Name: name}) {
				a.add(codeNoRoute, s, "HTTPRouteGroup %s not found, so it allows nothing: create it in namespace %s, or correct the name.", name, policy.Name.Namespace)
			}
		}
		if policy.Setting != "" && !a.exists(catalog.KindUpstreamTrafficSetting, catalog.Name{Namespace: policy.Name.Namespace, Name: policy.Setting}) {
			a.add(codeNoSetting, s, "UpstreamTrafficSetting %s not found in namespace %s, so connections have no limits: create it, or correct the name.", policy.Setting, policy.Name.Namespace)
		}
		if a.view.InForce(policy).Gateway != nil && !a.mesh.Partial && len(a.view.EgressGatewayAddresses()) == 0 {
			a.add(codeNoEgressGateway, s, "The mesh has no egress gateway, so requests fail with status 503: set spec.egressGateway.mode of the Mesh to Managed.")
		}
		if a.view.RequiresEgressGateway(policy.Name.Namespace) {
			for _, problem := range ingest.RequiredGateway(policy) {
				a.add(codeOutsideGateway, s, "%s", problem.StatusMessage())
			}
		}
		if !a.view.Settings().EgressPolicies && (!a.mesh.Partial || a.configured()) {
			a.add(codeEgressOff, s, "Egress policies are disabled: set spec.featureFlags.enableEgressPolicy to true in the MeshConfig.")
		}
	}
}

// egressConflicts returns the Egresses with a port on which an older one of the same client has a protocol that excludes theirs.
func egressConflicts(l *load.Loaded) []Conflict {
	var list []Conflict
	var all []*catalog.Egress
	for _, entry := range l.Catalog.Entries(catalog.KindEgress) {
		if policy, ok := entry.(*catalog.Egress); ok {
			all = append(all, policy)
		}
	}
	for _, policy := range all {
		for _, other := range all {
			for _, port := range policy.Ports {
				if other.Precedes(policy) && other.Excludes(port) && other.SharesSource(policy) {
					list = append(list, Conflict{
						Kind: catalog.KindEgress, Name: policy.Name, WinnerKind: catalog.KindEgress, WinnerName: other.Name,
						About: fmt.Sprintf("both have port %d, with protocols that exclude each other. Use one of them.", port.Number),
					})
				}
			}
		}
	}
	return list
}
