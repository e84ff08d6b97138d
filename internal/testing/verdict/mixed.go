package verdict

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// mixed returns the intermediate states of an edit, in which only some sidecars or resources are updated. Their results are
// correct although they match neither the mesh before nor the mesh after the edit.
//
// A client's sidecar can split requests, and a server's sidecar grant them, by one HTTPRouteGroup, which both receive at different
// times. A client's sidecar receives the endpoints of a Service before its listeners.
func (s *step) mixed() []*oracle {
	before, after := s.before.state, s.after.state
	var moments []*oracle
	if s.edits(catalog.KindHTTPRouteGroup) {
		moments = append(moments, newOracle(dividedAs(before, after, s.edit)), newOracle(dividedAs(after, before, s.edit)))
	}
	if s.edits(catalog.KindService) {
		moments = append(moments, newOracle(behind(before, after)), newOracle(behind(after, before)))
	}
	return moments
}

// edits reports whether the edit includes objects of a kind.
func (s *step) edits(kind catalog.Kind) bool {
	return slices.ContainsFunc(s.edit, func(c catalog.Change) bool { return c.Ref.Kind == kind })
}

// behind returns the mesh with the endpoints of another one.
func behind(w, other State) State {
	next := w.with(nil)
	for ref, entry := range other {
		if ref.Kind == catalog.KindPod {
			next[ref] = entry
		}
		theirs, ok := entry.(*catalog.Service)
		if mine, both := w[ref].(*catalog.Service); ok && both {
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
		if change.Ref.Kind != catalog.KindHTTPRouteGroup {
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
