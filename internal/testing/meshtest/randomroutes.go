package meshtest

import (
	"fmt"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// drawRoute draws a route of the Gateway API for one or two Services.
func drawRoute(t *rapid.T) *catalog.HTTPRoute {
	route := &catalog.HTTPRoute{Kind: rapid.SampledFrom(entity.RouteKinds()).Draw(t, "kind"), Name: drawName(t)}
	for range rapid.IntRange(1, 2).Draw(t, "parents") {
		parent := catalog.RouteParent{Service: drawName(t)}
		if rapid.IntRange(0, 3).Draw(t, "one port") == 0 {
			parent.Port = rapid.SampledFrom([]uint16{80, 9}).Draw(t, "port")
		}
		route.Parents = append(route.Parents, parent)
	}
	fewest, most := 0, 2
	if route.Kind.RoutesConnections() {
		fewest, most = 1, 1
	}
	if route.Kind == entity.KindTLSRoute {
		route.Hostnames = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a.example", "*.example"}), 1, 2, rapid.ID).Draw(t, "hostnames")
	}
	for range rapid.IntRange(fewest, most).Draw(t, "rules") {
		rule := catalog.HTTPRouteRule{Matches: []catalog.RouteMatch{{
			PathType: catalog.PathPrefix,
			Path:     rapid.SampledFrom([]string{"/", "/a"}).Draw(t, "path"),
		}}}
		for range rapid.IntRange(0, 2).Draw(t, "backends") {
			rule.Backends = append(rule.Backends, catalog.RouteBackend{Service: drawName(t), Port: 80, Weight: uint32(rapid.IntRange(0, 2).Draw(t, "weight"))})
		}
		if !route.Kind.RoutesConnections() && rapid.IntRange(0, 2).Draw(t, "mirror") == 0 {
			rule.Filters.Mirrors = []catalog.RouteMirror{{Backend: catalog.RouteBackend{Service: drawName(t), Port: 80}, Numerator: 1, Denominator: 2}}
		}
		route.Rules = append(route.Rules, rule)
	}
	return route
}

// RouteIn draws a route of a namespace, for Services of any namespace.
func RouteIn(namespace string) *rapid.Generator[*catalog.HTTPRoute] {
	return rapid.Custom(func(t *rapid.T) *catalog.HTTPRoute {
		route := drawRoute(t)
		route.Name.Namespace = namespace
		return route
	})
}

// drawGrant draws what routes of a namespace may refer to.
func drawGrant(t *rapid.T) *catalog.ReferenceGrant {
	grant := &catalog.ReferenceGrant{Name: drawName(t), To: []catalog.GrantedObject{{Kind: "Service"}}}
	grant.From = []catalog.GrantedReferrer{{
		Group: "gateway.networking.k8s.io", Kind: rapid.SampledFrom(entity.RouteKinds()).Draw(t, "granted kind").APIName(), Namespace: rapid.SampledFrom(namespaces).Draw(t, "from"),
	}}
	if rapid.Bool().Draw(t, "one Service") {
		grant.To[0].Name = rapid.SampledFrom(words).Draw(t, "granted")
	}
	return grant
}

// Route returns one of several HTTPRoutes of a Service for requests to it. Versions differ in the path.
func Route(service entity.Name, i, version int) *catalog.HTTPRoute {
	return &catalog.HTTPRoute{
		Kind: entity.KindHTTPRoute, Name: Name(service.Namespace, fmt.Sprintf("%s-%d", service.Name, i)), Parents: []catalog.RouteParent{{Service: service}},
		Rules: []catalog.HTTPRouteRule{{
			Matches:  []catalog.RouteMatch{{PathType: catalog.PathPrefix, Path: fmt.Sprintf("/%d/%d", i, version)}},
			Backends: []catalog.RouteBackend{{Service: service, Port: 80, Weight: 1}},
		}},
	}
}

// RouteChange draws an edit of one of the results of Route, or its deletion.
func RouteChange(service entity.Name, routes int) *rapid.Generator[catalog.Change] {
	return rapid.Custom(func(t *rapid.T) catalog.Change {
		change := catalog.Set(Route(service, rapid.IntRange(0, routes-1).Draw(t, "number"), rapid.IntRange(0, 3).Draw(t, "version")))
		if rapid.IntRange(0, 3).Draw(t, "delete") == 0 {
			change.Entry = nil
		}
		return change
	})
}
