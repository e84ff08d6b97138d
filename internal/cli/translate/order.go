package translate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
)

// prioritized is a match with the index of its rule. The first rule that matches a request applies.
type prioritized struct {
	rule  int
	match catalog.RouteMatch
}

// maxRouteMatches is the maximum number of matches in an HTTPRoute.
const maxRouteMatches = 128

// orderedMatches returns matches that select the same rules when the most specific match applies, instead of the first rule. Where a later rule has a
// more specific match than an earlier one, the earlier rule gets the intersection of both. Matches that never apply are omitted.
//
// For two matches a and b of a request, a of an earlier rule and b more specific, the intersection is at least as specific as b, and listed before it.
// So the most specific match of each request belongs to the earliest rule that matches it.
func orderedMatches(list []prioritized) ([]prioritized, error) {
	list = withoutCovered(list)
	for i := 0; i < len(list); i++ {
		for k := range i {
			a, b := list[k], list[i]
			if b.rule < a.rule {
				a, b = b, a
			}
			if a.rule == b.rule || catalog.CompareRouteMatches(a.match, b.match) <= 0 {
				continue
			}
			both, overlap, err := intersection(a.match, b.match)
			if err != nil {
				return list, err
			}
			added := prioritized{a.rule, both}
			if overlap && !slices.ContainsFunc(list, func(p prioritized) bool {
				return p.rule <= a.rule && covers(p.match, both) && catalog.CompareRouteMatches(p.match, b.match) <= 0
			}) {
				list = append(list, added)
			}
			if len(list) > maxRouteMatches {
				return list, fmt.Errorf("an HTTPRoute can have %d matches, and it needs more", maxRouteMatches)
			}
		}
	}
	slices.SortStableFunc(list, func(a, b prioritized) int { return a.rule - b.rule })
	return list, nil
}

// withoutCovered omits matches whose requests an earlier rule, or another match of their rule, has.
func withoutCovered(list []prioritized) []prioritized {
	var kept []prioritized
	for i, p := range list {
		isCovered := false
		for k, other := range list {
			if k != i && covers(other.match, p.match) && (other.rule < p.rule || other.rule == p.rule && (k < i || !covers(p.match, other.match))) {
				isCovered = true
			}
		}
		if !isCovered {
			kept = append(kept, p)
		}
	}
	return kept
}

// covers reports whether every request that b matches is known to match a.
func covers(a, b catalog.RouteMatch) bool {
	return coversPath(a, b) && (a.Method == "" || a.Method == b.Method) && coverValues(a.Headers, b.Headers) && coverValues(a.Query, b.Query)
}

func coverValues(a, b []catalog.ValueMatch) bool {
	return !slices.ContainsFunc(a, func(condition catalog.ValueMatch) bool {
		return !slices.ContainsFunc(b, func(other catalog.ValueMatch) bool {
			return strings.EqualFold(condition.Name, other.Name) && coversValue(condition, other)
		})
	})
}

func coversValue(a, b catalog.ValueMatch) bool {
	switch {
	case a.Regex == b.Regex && a.Value == b.Value:
		return true
	case a.Regex && a.Value == ".*":
		return true
	}
	return a.Regex && !b.Regex && fullMatch(a.Value, b.Value)
}

func coversPath(a, b catalog.RouteMatch) bool {
	prefix := strings.TrimRight(a.Path, "/")
	switch {
	case isAnyPath(a), a.PathType == b.PathType && a.Path == b.Path:
		return true
	case b.PathType == catalog.PathExact:
		return authz.MatchesPath(a, b.Path)
	case a.PathType == catalog.PathPrefix && b.PathType == catalog.PathPrefix:
		return authz.MatchesPath(a, b.Path)
	case a.PathType == catalog.PathPrefix:
		return strings.HasPrefix(ingest.LiteralPrefix(b.Path), prefix+"/")
	}
	return false
}

// intersection returns the match for the requests that two matches have in common, and whether there are any.
func intersection(a, b catalog.RouteMatch) (both catalog.RouteMatch, overlap bool, err error) {
	if a.Method != "" && b.Method != "" && a.Method != b.Method || areDisjointValues(a.Headers, b.Headers) || areDisjointPaths(a, b) {
		return both, false, nil
	}
	both = a
	if a.Method == "" {
		both.Method = b.Method
	}
	switch {
	case coversPath(a, b):
		both.PathType, both.Path = b.PathType, b.Path
	case !coversPath(b, a):
		return both, false, fmt.Errorf("the paths %s and %s of two TrafficSplits may both match a request, and a route cannot say that the one of the older TrafficSplit comes first: make one of the expressions exclude the requests of the other", a.Path, b.Path)
	}
	both.Headers, err = joinValues(a.Headers, b.Headers)
	return both, true, err
}

// joinValues returns all conditions of two lists.
func joinValues(a, b []catalog.ValueMatch) ([]catalog.ValueMatch, error) {
	joined := slices.Clone(a)
	for _, other := range b {
		i := slices.IndexFunc(joined, func(h catalog.ValueMatch) bool { return strings.EqualFold(h.Name, other.Name) })
		switch {
		case i < 0:
			joined = append(joined, other)
		case coversValue(joined[i], other):
			joined[i] = other
		case !coversValue(other, joined[i]):
			return nil, fmt.Errorf("the expressions %s and %s of two TrafficSplits for the header %s may both match a request, and a route cannot say that the one of the older TrafficSplit comes first: make one of them exclude the requests of the other", joined[i].Value, other.Value, other.Name)
		}
	}
	return joined, nil
}

func areDisjointValues(a, b []catalog.ValueMatch) bool {
	return slices.ContainsFunc(a, func(h catalog.ValueMatch) bool {
		return slices.ContainsFunc(b, func(other catalog.ValueMatch) bool {
			if !strings.EqualFold(h.Name, other.Name) || h.Regex && other.Regex {
				return false
			}
			return !coversValue(h, other) && !coversValue(other, h)
		})
	})
}

func areDisjointPaths(a, b catalog.RouteMatch) bool {
	switch {
	case coversPath(a, b) || coversPath(b, a):
		return false
	case a.PathType == catalog.PathExpression && b.PathType == catalog.PathExpression:
		return differ(ingest.LiteralPrefix(a.Path), ingest.LiteralPrefix(b.Path))
	case a.PathType == catalog.PathExpression && b.PathType == catalog.PathPrefix:
		return differ(ingest.LiteralPrefix(a.Path), b.Path)
	case a.PathType == catalog.PathPrefix && b.PathType == catalog.PathExpression:
		return differ(a.Path, ingest.LiteralPrefix(b.Path))
	}
	return true
}

// differ reports whether no text can begin with both.
func differ(a, b string) bool {
	shorter := min(len(a), len(b))
	return a[:shorter] != b[:shorter]
}
