package envoy

import (
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// setHeaderEdits lets a route edit headers as its rule says, and then as the chosen backend says. Envoy edits for a cluster first and for the route
// last, so the clusters have the edits of both if any backend has its own.
func setHeaderEdits(route *routev3.Route, rule catalog.HeaderFilters, to []weightedCluster) {
	if !slices.ContainsFunc(to, func(b weightedCluster) bool { return b.filters != nil }) {
		route.RequestHeadersToAdd, route.RequestHeadersToRemove = headerOptions(rule.Request), rule.Request.Remove
		route.ResponseHeadersToAdd, route.ResponseHeadersToRemove = headerOptions(rule.Response), rule.Response.Remove
		return
	}
	for i := range to {
		both := rule
		if own := to[i].filters; own != nil {
			both = catalog.HeaderFilters{Request: editsInOrder(rule.Request, own.Request), Response: editsInOrder(rule.Response, own.Response)}
		}
		to[i].filters = &both
	}
}

// editsInOrder returns edits that have the effect of two, one after the other.
func editsInOrder(first, second catalog.HeaderEdits) catalog.HeaderEdits {
	isReplaced := func(h catalog.HeaderValue) bool {
		is := func(name string) bool { return strings.EqualFold(name, h.Name) }
		return slices.ContainsFunc(second.Remove, is) || slices.ContainsFunc(second.Set, func(s catalog.HeaderValue) bool { return is(s.Name) })
	}
	return catalog.HeaderEdits{
		Set:    append(slices.DeleteFunc(slices.Clone(first.Set), isReplaced), second.Set...),
		Add:    append(slices.DeleteFunc(slices.Clone(first.Add), isReplaced), second.Add...),
		Remove: slices.Concat(first.Remove, second.Remove),
	}
}
