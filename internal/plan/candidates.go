package plan

import (
	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/identity"
)

// candidates are the identities whose sidecars an edit may concern. It says so for edits of grants alone, which are most; for
// others narrow is false, and everybody's scope must be looked at. A scope asks for the grants to and from its own identity, and
// for the route objects that they name.
func candidates(touched map[catalog.Dep]bool, meshes ...Mesh) (found map[identity.ServiceAccount]bool, narrow bool) {
	found = map[identity.ServiceAccount]bool{}
	routes := map[catalog.Ref]bool{}
	for dep := range touched {
		switch dep.Kind {
		case catalog.DepTargetsTo, catalog.DepTargetsFrom, catalog.DepRetriesFrom:
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
			switch e := entry.(type) {
			case *catalog.TrafficTarget:
				if refersTo(e, routes) {
					found[e.Destination] = true
					for _, source := range e.Sources {
						found[source] = true
					}
				}
			case *catalog.TrafficSplit:
				if len(e.Matches) > 0 && len(routes) > 0 {
					return nil, false // its clients ask for route objects, too
				}
			}
		}
	}
	return found, true
}

// refersTo says whether a target has a rule for one of the route objects.
func refersTo(target *catalog.TrafficTarget, routes map[catalog.Ref]bool) bool {
	for _, rule := range target.Rules {
		if routes[catalog.Ref{Kind: rule.Kind, Name: catalog.Name{Namespace: target.Name.Namespace, Name: rule.Name}}] {
			return true
		}
	}
	return false
}
