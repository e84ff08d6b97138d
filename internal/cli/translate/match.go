package translate

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// gatewayMethods are the methods that a route can match.
var gatewayMethods = []string{"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}

// routeMatches returns the matches of a route for a match of an HTTPRouteGroup: one for each method.
func routeMatches(m catalog.HTTPMatch) ([]catalog.RouteMatch, error) {
	match := catalog.RouteMatch{}
	match.PathType, match.Path = routePath(m.PathRegex)
	for _, header := range m.Headers {
		value := headerValue(header)
		if slices.ContainsFunc(match.Headers, func(h catalog.ValueMatch) bool { return h.Name == value.Name }) {
			return nil, fmt.Errorf("it has two expressions for the header %s, and a route can have one: join them in one expression", value.Name)
		}
		match.Headers = append(match.Headers, value)
	}
	if len(m.Methods) == 0 {
		return []catalog.RouteMatch{match}, nil
	}
	var list []catalog.RouteMatch
	for _, method := range m.Methods {
		if !slices.Contains(gatewayMethods, method) {
			return nil, fmt.Errorf("it has the method %s, and routes can match only %s", method, strings.Join(gatewayMethods, ", "))
		}
		match.Method = method
		list = append(list, match)
	}
	return list, nil
}

// headerValue returns the match of a header in a route. Its value cannot be empty.
func headerValue(h catalog.HeaderMatch) catalog.ValueMatch {
	match := catalog.ValueMatch{Name: h.Name, Value: h.Regex, Regex: true}
	if h.Name == ":authority" {
		match.Name = "host"
	}
	if h.Regex == "" {
		match.Value = "^$"
	}
	if text, literal := literalValue(h.Regex); literal && httpguts.ValidHeaderFieldValue(text) {
		match.Value, match.Regex = text, false
	}
	return match
}

// groupMatch returns the match of an HTTPRouteGroup for that of a route.
func groupMatch(m catalog.RouteMatch) (catalog.HTTPMatch, error) {
	if len(m.Query) > 0 {
		return catalog.HTTPMatch{}, fmt.Errorf("an HTTPRouteGroup cannot match the query parameter %s", m.Query[0].Name)
	}
	return authz.ExpressionsOf(m), nil
}
