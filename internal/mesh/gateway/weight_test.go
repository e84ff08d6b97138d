package gateway_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
)

// values returns 16 headers or query parameters with long expressions.
func values() []catalog.ValueMatch {
	var list []catalog.ValueMatch
	for i := range 16 {
		list = append(list, catalog.ValueMatch{Name: fmt.Sprintf("%02d", i), Value: strings.Repeat("a", 1022), Regex: true})
	}
	return list
}

// edits returns 16 headers that a filter sets.
func edits() catalog.HeaderEdits {
	var list []catalog.HeaderValue
	for i := range 16 {
		list = append(list, catalog.HeaderValue{Name: fmt.Sprintf("%02d", i), Value: strings.Repeat("a", 958)})
	}
	return catalog.HeaderEdits{Set: list[:4], Add: list[4:12], Remove: []string{strings.Repeat("a", 960), strings.Repeat("b", 960), strings.Repeat("c", 960), strings.Repeat("d", 960)}}
}

// TestLongRoutesOfTheIngressGatewayCountMore checks that headers, query parameters and filters of HTTPRoutes count for each match.
func TestLongRoutesOfTheIngressGatewayCountMore(t *testing.T) {
	const texts = 16 * 1024
	path := &catalog.PathEdit{Value: strings.Repeat("/", texts-253)}
	for name, change := range map[string]func(*catalog.HTTPRouteRule){
		"headers":          func(r *catalog.HTTPRouteRule) { r.Matches[0].Headers = values() },
		"query parameters": func(r *catalog.HTTPRouteRule) { r.Matches[0].Query = values() },
		"request filters":  func(r *catalog.HTTPRouteRule) { r.Filters.Request = edits() },
		"response filters": func(r *catalog.HTTPRouteRule) { r.Filters.Response = edits() },
		"a redirect": func(r *catalog.HTTPRouteRule) {
			r.Filters.Redirect = &catalog.RouteRedirect{Hostname: strings.Repeat("h", 253), Path: path}
		},
		"a rewrite": func(r *catalog.HTTPRouteRule) {
			r.Filters.Rewrite = &catalog.RouteRewrite{Hostname: strings.Repeat("h", 253), Path: path}
		},
	} {
		t.Run(name, func(t *testing.T) {
			const rulesOfRoute, hostsOfRoute = 20, 16 // of 65 routes each, so two HTTPRoutes fit
			entries := []catalog.Entry{gatewayOf("web", open("a", ""))}
			for i := range 3 {
				list := rules(other, rulesOfRoute)
				for k := range list {
					list[k].Matches[0].Path = "/"
					change(&list[k])
				}
				entries = append(entries, route(other, fmt.Sprint("r", i), hosts(i, hostsOfRoute), list...))
			}
			result := gateway.Resolve(mesh(entries...))
			if got, want := routesOf(result), 2*rulesOfRoute*hostsOfRoute; got != want {
				t.Errorf("the ingress gateway has %d routes, want %d", got, want)
			}
			if last := statusOf(t, result, "r2"); last.OK || last.Reason != "TooManyRoutes" {
				t.Errorf("the last route has %+v", last)
			}
		})
	}
}
