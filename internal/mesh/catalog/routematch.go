package catalog

import "cmp"

// Types of the path of a RouteMatch.
const (
	PathExact      = "Exact"
	PathPrefix     = "PathPrefix"
	PathExpression = "RegularExpression"
)

// CompareRouteMatches orders matches as the Gateway API: exact paths, then longer prefixes, then methods, then more headers, then more query
// parameters. Expressions come before prefixes.
func CompareRouteMatches(a, b RouteMatch) int {
	hasMethod := func(m RouteMatch) int { return min(len(m.Method), 1) }
	return cmp.Or(
		cmp.Compare(a.pathRank(), b.pathRank()),
		cmp.Compare(len(b.Path), len(a.Path)),
		cmp.Compare(hasMethod(b), hasMethod(a)),
		cmp.Compare(len(b.Headers), len(a.Headers)),
		cmp.Compare(len(b.Query), len(a.Query)),
	)
}

func (m RouteMatch) pathRank() int {
	switch m.PathType {
	case PathExact:
		return 0
	case PathExpression:
		return 1
	default:
		return 2
	}
}
