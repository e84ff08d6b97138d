package verdict

import (
	"time"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// addRoutes adds the generators of HTTPRoutes for Services, and of what permits them to use Services of the other namespace.
func addRoutes(add func(entity.Kind, int, entity.Name, func(*rapid.T) catalog.Entry)) {
	for _, name := range []entity.Name{Name("a", "h1"), Name("a", "h2"), Name("b", "h1")} {
		add(entity.KindHTTPRoute, 4, name, func(t *rapid.T) catalog.Entry { return drawServiceRoute(t, name) })
	}
	addConnectionRoutes(add)
	for i, from := range namespaces {
		name := Name(namespaces[1-i], "grant")
		add(entity.KindReferenceGrant, 2, name, func(t *rapid.T) catalog.Entry { return drawGrant(t, name, from) })
	}
}

// drawServiceRoute draws an HTTPRoute whose parent is usually a Service of its own namespace.
func drawServiceRoute(t *rapid.T, name entity.Name) catalog.Entry {
	route := &catalog.HTTPRoute{Kind: entity.KindHTTPRoute, Name: name, Created: time.Unix(int64(below(t, 2, "created")), 0)}
	parent := catalog.RouteParent{Service: anyServiceOf(oneOf([]string{name.Namespace, name.Namespace, "a"}).Draw(t, "parent namespace")).Draw(t, "parent")}
	if oneIn(t, 3, "one port") {
		parent.Port = oneOf([]uint16{80, 83}).Draw(t, "port")
	}
	route.Parents = append([]catalog.RouteParent{parent}, drawFurtherParent(t)...)
	for range 1 + below(t, 2, "rules") {
		route.Rules = append(route.Rules, drawRule(t, name.Namespace))
	}
	return route
}

// drawFurtherParent draws a second parent of a route, sometimes in the other namespace and with a port that does not exist. It permits no backend.
func drawFurtherParent(t *rapid.T) []catalog.RouteParent {
	if !oneIn(t, 3, "second parent") {
		return nil
	}
	service := anyServiceOf(oneOf(namespaces).Draw(t, "second parent namespace")).Draw(t, "second parent")
	return []catalog.RouteParent{{Service: service, Port: oneOf([]uint16{0, 80, 9}).Draw(t, "second port")}}
}

func drawRule(t *rapid.T, namespace string) catalog.HTTPRouteRule {
	var rule catalog.HTTPRouteRule
	for range 1 + below(t, 2, "matches") {
		rule.Matches = append(rule.Matches, drawRouteMatch(t))
	}
	rule.Filters = drawFilters(t)
	if rewrite := rule.Filters.Rewrite; rewrite != nil && rewrite.Path.Prefix {
		for i := range rule.Matches { // the API requires it
			rule.Matches[i].PathType, rule.Matches[i].Path = catalog.PathPrefix, oneOf([]string{"/", "/a", "/a/"}).Draw(t, "prefix")
		}
	}
	for range below(t, 3, "backends") {
		rule.Backends = append(rule.Backends, drawRouteBackend(t, namespace))
	}
	if oneIn(t, 6, "mirror") {
		rule.Filters.Mirrors = []catalog.RouteMirror{{Backend: drawRouteBackend(t, namespace), Numerator: 1, Denominator: 2}}
		rule.Filters.Mirrors[0].Backend.Weight, rule.Filters.Mirrors[0].Backend.Filters = 0, nil
	}
	if oneIn(t, 5, "repeat") {
		rule.Repeat = &catalog.RouteRetry{Attempts: 1, Codes: []uint32{503}, Backoff: time.Millisecond}
	}
	if len(rule.Backends) == 2 && rule.Backends[0].Service == rule.Backends[1].Service {
		rule.Backends = rule.Backends[:1]
	}
	return rule
}

func drawRouteBackend(t *rapid.T, namespace string) catalog.RouteBackend {
	backend := catalog.RouteBackend{
		Service: anyServiceOf(oneOf([]string{namespace, namespace, "a", "b"}).Draw(t, "backend namespace")).Draw(t, "backend"),
		Port:    oneOf([]uint16{80, 80, 83, 84}).Draw(t, "backend port"), Weight: oneOf([]uint32{1, 1, 3, 0}).Draw(t, "weight"),
	}
	if oneIn(t, 6, "backend headers") {
		backend.Filters = &catalog.HeaderFilters{Request: catalog.HeaderEdits{Set: []catalog.HeaderValue{{
			Name:  "x-user",
			Value: oneOf([]string{"alice", "bob"}).Draw(t, "user"),
		}}}}
	}
	return backend
}

func drawRouteMatch(t *rapid.T) catalog.RouteMatch {
	match := catalog.RouteMatch{PathType: oneOf([]string{catalog.PathPrefix, catalog.PathPrefix, catalog.PathExact}).Draw(t, "type")}
	match.Path = oneOf([]string{"/", "/", "/a", "/b", "/a/", "/a/b", "/admin"}).Draw(t, "path")
	if oneIn(t, 6, "expression") {
		match.PathType, match.Path = catalog.PathExpression, "/"+anySegmentRegex.Draw(t, "segment")+oneOf([]string{"", "/.*"}).Draw(t, "end")
	}
	if oneIn(t, 4, "method") {
		match.Method = anyMethod.Draw(t, "one method")
	}
	if oneIn(t, 4, "header") {
		match.Headers = []catalog.ValueMatch{oneOf([]catalog.ValueMatch{
			{Name: "x-user", Value: "alice"}, {Name: "X-User", Value: "al.*", Regex: true}, {Name: "x-other", Value: "bob"},
		}).Draw(t, "header match")}
	}
	if oneIn(t, 8, "query") {
		match.Query = []catalog.ValueMatch{{Name: "q", Value: "/admin"}}
	}
	return match
}

func drawFilters(t *rapid.T) catalog.RouteFilters {
	var filters catalog.RouteFilters
	if oneIn(t, 4, "headers") {
		filters.Request = oneOf([]catalog.HeaderEdits{
			{Set: []catalog.HeaderValue{{Name: "x-user", Value: "bob"}}},
			{Add: []catalog.HeaderValue{{Name: "X-User", Value: "alice"}}},
			{Remove: []string{"x-user", "x_user"}},
		}).Draw(t, "edits")
	}
	switch below(t, 8, "filter") {
	case 6:
		filters.Redirect = &catalog.RouteRedirect{Status: oneOf([]uint32{301, 302, 303, 307, 308}).Draw(t, "status")}
	case 7:
		filters.Rewrite = &catalog.RouteRewrite{Path: &catalog.PathEdit{Value: oneOf([]string{"/", "/a", "/admin/1", "/b/"}).Draw(t, "new path")}}
	case 5:
		filters.Rewrite = &catalog.RouteRewrite{Path: &catalog.PathEdit{
			Prefix: true,
			Value:  oneOf([]string{"/", "/a", "/admin/1", "/b/"}).Draw(t, "new prefix"),
		}}
	}
	return filters
}

// drawGrant draws which Services HTTPRoutes of the other namespace may use.
func drawGrant(t *rapid.T, name entity.Name, from string) catalog.Entry {
	grant := &catalog.ReferenceGrant{
		Name: name, From: []catalog.GrantedReferrer{{Group: "gateway.networking.k8s.io", Kind: "HTTPRoute", Namespace: from}},
		To: []catalog.GrantedObject{{Kind: "Service"}},
	}
	if kind := oneOf([]string{"HTTPRoute", "TCPRoute", "TLSRoute"}).Draw(t, "another kind"); kind != "HTTPRoute" {
		grant.From = append(grant.From, catalog.GrantedReferrer{Group: "gateway.networking.k8s.io", Kind: kind, Namespace: from})
	}
	if oneIn(t, 2, "one Service") {
		grant.To[0].Name = anyServiceOf(name.Namespace).Draw(t, "granted").Name
	}
	return grant
}
