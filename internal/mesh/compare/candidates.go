package compare

import (
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// candidates returns the identities whose sidecars an edit may affect. It only supports edits of grants. For other edits, narrow is
// false and all scopes must be compared. A scope depends on grants to and from its identity, and on the route objects in these grants.
func candidates(touched map[catalog.Dep]bool, meshes ...Mesh) (found map[identity.ServiceAccount]bool, narrow bool) {
	found = map[identity.ServiceAccount]bool{}
	routes := map[catalog.Ref]bool{}
	for dep := range touched {
		switch dep.Kind {
		case catalog.DepTargetsTo, catalog.DepTargetsFrom, catalog.DepClientPolicies:
			found[identity.ServiceAccount(dep.Name)] = true
		case catalog.DepHTTPRouteGroup:
			routes[catalog.Ref{Kind: catalog.KindHTTPRouteGroup, Name: dep.Name}] = true
		case catalog.DepTCPRoute:
			routes[catalog.Ref{Kind: catalog.KindTCPRoute, Name: dep.Name}] = true
		default:
			return nil, false
		}
	}
	for _, l := range meshes {
		for _, entry := range l.Entries {
			target, isTarget := entry.(*catalog.TrafficTarget)
			switch {
			case isTarget && refersTo(target, routes):
				found[target.Destination] = true
				for _, source := range target.Sources {
					found[source] = true
				}
			case len(routes) > 0 && len(routeGroups(entry)) > 0:
				return nil, false
			}
		}
	}
	return found, true
}

// routeGroups returns the HTTPRouteGroups that a policy other than a TrafficTarget names. Scopes depend on them too.
func routeGroups(entry catalog.Entry) []string {
	switch e := entry.(type) {
	case *catalog.TrafficSplit:
		return e.Matches
	case *catalog.Egress:
		return e.RouteGroups
	case *catalog.IngressBackend:
		return e.RouteGroups
	}
	return nil
}

// refersTo returns true if a TrafficTarget has a rule for one of the route objects.
func refersTo(target *catalog.TrafficTarget, routes map[catalog.Ref]bool) bool {
	for _, rule := range target.Rules {
		if routes[catalog.Ref{Kind: rule.Kind, Name: catalog.Name{Namespace: target.Name.Namespace, Name: rule.Name}}] {
			return true
		}
	}
	return false
}
