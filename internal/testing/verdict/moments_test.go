package verdict

import (
	"maps"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// mixed returns the intermediate states of an edit, in which only some sidecars or resources are updated. Their results are
// correct although they match neither the mesh before nor the mesh after the edit.
//
// A client's sidecar can split requests, and a server's sidecar grant them, by one HTTPRouteGroup, which both receive at different
// times. A client's sidecar receives the endpoints of a Service before its listeners, so the address of an endpoint that a headless Service loses leads to
// the backends of its routes with the endpoints after the edit.
func (s *step) mixed() []*oracle {
	before, after := s.before.state, s.after.state
	var moments []*oracle
	if s.edits(entity.KindHTTPRouteGroup) {
		moments = append(moments, newOracle(dividedAs(before, after, s.edit)), newOracle(dividedAs(after, before, s.edit)))
	}
	if slices.ContainsFunc(append(entity.RouteKinds(), entity.KindReferenceGrant), s.edits) {
		moments = append(moments, newOracle(routedAs(before, after)), newOracle(routedAs(after, before)))
	}
	if s.edits(entity.KindService) || s.edits(entity.KindEndpointSlice) {
		moments = append(moments, newOracle(behind(before, after)), newOracle(behind(after, before)))
	}
	if s.edits(entity.KindNamespace) || s.edits(entity.KindService) {
		moments = append(moments, newOracle(decodedAs(before, after)), newOracle(decodedAs(after, before)))
	}
	return moments
}

// decodedAs returns the mesh with the escaped slashes of another one: listeners decode them, and get an edit before or after routes and grants do.
func decodedAs(w, other State) State {
	next := w.with(nil)
	for ref, entry := range w {
		switch mine := entry.(type) {
		case *catalog.Namespace:
			if theirs, both := other[ref].(*catalog.Namespace); both {
				copied := *mine
				copied.DecodeSlashes = theirs.DecodeSlashes
				next[ref] = &copied
			}
		case *inventory.Service:
			if theirs, both := other[ref].(*inventory.Service); both {
				copied := *mine
				copied.DecodeSlashes = theirs.DecodeSlashes
				next[ref] = &copied
			}
		}
	}
	return next
}

// routedAs returns the mesh of servers, with the routes of the mesh of clients.
func routedAs(servers, clients State) State {
	isRoute := func(ref entity.Ref) bool {
		return ref.Kind == entity.KindReferenceGrant || slices.Contains(entity.RouteKinds(), ref.Kind)
	}
	next := servers.with(nil)
	maps.DeleteFunc(next, func(ref entity.Ref, _ catalog.Entry) bool { return isRoute(ref) })
	for ref, entry := range clients {
		if isRoute(ref) {
			next[ref] = entry
		}
	}
	return next
}

// behind returns the mesh with the endpoints of another one.
func behind(w, other State) State {
	next := w.with(nil)
	maps.DeleteFunc(next, func(ref entity.Ref, _ catalog.Entry) bool {
		return ref.Kind == entity.KindEndpointSlice && other[ref] == nil
	})
	for ref, entry := range other {
		if ref.Kind == entity.KindPod || ref.Kind == entity.KindEndpointSlice {
			next[ref] = entry
		}
		theirs, ok := entry.(*inventory.Service)
		if mine, both := w[ref].(*inventory.Service); ok && both {
			copied := *mine
			copied.Selector = theirs.Selector
			next[ref] = &copied
		}
	}
	return next
}

// dividedAs returns the mesh of servers, with TrafficSplits that use the edited groups as clients do.
func dividedAs(servers, clients State, edit []catalog.Change) State {
	next := servers.with(nil)
	for _, change := range edit {
		if change.Ref.Kind != entity.KindHTTPRouteGroup {
			continue
		}
		seen := change.Ref.Name
		seen.Name += "-of-clients"
		if group, ok := clients[change.Ref].(*catalog.HTTPRouteGroup); ok {
			copied := *group
			copied.Name = seen
			next[copied.Ref()] = &copied
		}
		for ref, entry := range next {
			split, ok := entry.(*catalog.TrafficSplit)
			if !ok || ref.Name.Namespace != seen.Namespace {
				continue
			}
			copied := *split
			copied.Matches = slices.Clone(split.Matches)
			for i, name := range copied.Matches {
				if name == change.Ref.Name.Name {
					copied.Matches[i] = seen.Name
				}
			}
			next[ref] = &copied
		}
	}
	return next
}

// unrouted returns the mesh without the routes and TrafficSplits of edited Services. A sidecar that loads destinations on demand names their clusters by
// address, and gets the cluster of an address that moves to another Service before the routes of this Service.
func unrouted(w State, edit []catalog.Change) State {
	isEdited := func(service entity.Name) bool {
		return slices.ContainsFunc(edit, func(c catalog.Change) bool { return c.Ref == entity.Ref{Kind: entity.KindService, Name: service} })
	}
	next := w.with(nil)
	for ref, entry := range w {
		switch e := entry.(type) {
		case *catalog.TrafficSplit:
			if isEdited(e.Root) {
				delete(next, ref)
			}
		case *catalog.HTTPRoute:
			copied := *e
			copied.Parents = slices.DeleteFunc(slices.Clone(e.Parents), func(p catalog.RouteParent) bool { return isEdited(p.Service) })
			next[ref] = &copied
		}
	}
	return next
}
