package verdict

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/catalog"
)

// mixed are the moments of an edit in which a part of it has arrived and another has not. What comes of them is right, although
// neither the mesh before the edit does it nor the one after.
//
// By one HTTPRouteGroup a client's sidecar may divide requests, and a server's grant them, and each learns of an edit by itself. Of a
// Service a client's sidecar has listeners and endpoints, and is sent the endpoints first.
func (s *step) mixed() []*oracle {
	before, after := s.before.world, s.after.world
	var moments []*oracle
	if s.edits(catalog.KindHTTPRouteGroup) {
		moments = append(moments, newOracle(dividedAs(before, after, s.edit)), newOracle(dividedAs(after, before, s.edit)))
	}
	if s.edits(catalog.KindService) {
		moments = append(moments, newOracle(behind(before, after)), newOracle(behind(after, before)))
	}
	return moments
}

// edits says whether the edit is also about objects of a kind.
func (s *step) edits(kind catalog.Kind) bool {
	return slices.ContainsFunc(s.edit, func(c catalog.Change) bool { return c.Ref.Kind == kind })
}

// behind is the world in which each Service leads to the pods that it leads to in another one.
func behind(w, other World) World {
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

// dividedAs is the world of servers in which TrafficSplits read the edited groups as clients do.
func dividedAs(servers, clients World, edit []catalog.Change) World {
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
