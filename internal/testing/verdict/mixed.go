package verdict

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/catalog"
)

// mixed are the moments of an edit in which clients and servers read an HTTPRouteGroup in different versions: by one group a client's
// sidecar may divide requests, and a server's grant them, and each learns of an edit by itself. What both then do together is
// right, although neither the mesh before the edit does it nor the one after.
func (s *step) mixed() []*oracle {
	if !slices.ContainsFunc(s.edit, func(c catalog.Change) bool { return c.Ref.Kind == catalog.KindHTTPRouteGroup }) {
		return nil
	}
	return []*oracle{
		newOracle(dividedAs(s.before.world, s.after.world, s.edit)),
		newOracle(dividedAs(s.after.world, s.before.world, s.edit)),
	}
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
