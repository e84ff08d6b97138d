package gateway

import (
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// headerBytes is what a header counts that a filter edits, in addition to its texts.
const headerBytes = 64

// weightOf returns as how many routes a rule with a number of destinations counts for one hostname. Each match has all destinations and filters of the
// rule, and long texts count as several routes.
func weightOf(rule *catalog.HTTPRouteRule, destinations int) int {
	weight := 0
	for i := range rule.Matches {
		weight += WeightOfMatch(&rule.Matches[i], rule, destinations)
	}
	return weight
}

// WeightOfMatch counts the routes of one match of a rule: one for each destination, and more for long texts.
func WeightOfMatch(match *catalog.RouteMatch, rule *catalog.HTTPRouteRule, destinations int) int {
	bytes := matchBytes(match) + filterBytes(&rule.Filters)
	for i := range rule.Backends {
		if filters := rule.Backends[i].Filters; filters != nil {
			bytes += headerFilterBytes(filters)
		}
	}
	return authz.RoutesOf(bytes) + max(1, destinations) - 1
}

// matchBytes returns what a match counts, in bytes.
func matchBytes(match *catalog.RouteMatch) int {
	bytes := len(match.Path) + len(match.Method)
	for _, list := range [][]catalog.ValueMatch{match.Headers, match.Query} {
		for _, value := range list {
			bytes += authz.ExpressionBytes(value.Name, value.Value)
		}
	}
	return bytes
}

// filterBytes returns what the filters of a rule count, in bytes.
func filterBytes(filters *catalog.RouteFilters) int {
	bytes := headerFilterBytes(&filters.HeaderFilters) + headerBytes*len(filters.Mirrors)
	if filters.Redirect != nil {
		bytes += len(filters.Redirect.Hostname) + pathBytes(filters.Redirect.Path)
	}
	if filters.Rewrite != nil {
		bytes += len(filters.Rewrite.Hostname) + pathBytes(filters.Rewrite.Path)
	}
	return bytes
}

func headerFilterBytes(filters *catalog.HeaderFilters) int {
	bytes := 0
	for _, edits := range []catalog.HeaderEdits{filters.Request, filters.Response} {
		for _, list := range [][]catalog.HeaderValue{edits.Set, edits.Add} {
			for _, header := range list {
				bytes += headerBytes + len(header.Name) + len(header.Value)
			}
		}
		for _, name := range edits.Remove {
			bytes += headerBytes + len(name)
		}
	}
	return bytes
}

func pathBytes(edit *catalog.PathEdit) int {
	if edit == nil {
		return 0
	}
	return len(edit.Value)
}
