package envoy

import (
	"regexp"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"github.com/openservicemesh/osm-operator/internal/catalog"
)

// anyRequest matches every path.
func anyRequest() *routev3.RouteMatch {
	return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: ""}}
}

// requestMatch matches requests whose whole path without the query, method and headers match.
func requestMatch(m catalog.HTTPMatch) *routev3.RouteMatch {
	out := anyRequest()
	if m.PathRegex != "" && m.PathRegex != ".*" {
		out.PathSpecifier = &routev3.RouteMatch_SafeRegex{SafeRegex: expression(m.PathRegex)}
	}
	if len(m.Methods) > 0 {
		out.Headers = append(out.Headers, methodMatcher(m.Methods))
	}
	for _, h := range m.Headers {
		out.Headers = append(out.Headers, headerMatcher(h.Name, matching(h.Regex)))
	}
	return out
}

// methodMatcher matches any of the methods. They are quoted: a method is a word, not an expression.
func methodMatcher(methods []string) *routev3.HeaderMatcher {
	if len(methods) == 1 {
		return headerMatcher(":method", exactly(methods[0]))
	}
	quoted := make([]string, 0, len(methods))
	for _, m := range methods {
		quoted = append(quoted, regexp.QuoteMeta(m))
	}
	return headerMatcher(":method", matching(strings.Join(quoted, "|")))
}

func headerMatcher(name string, value *matcherv3.StringMatcher) *routev3.HeaderMatcher {
	return &routev3.HeaderMatcher{
		Name:                 name,
		HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: value},
	}
}

// matching is an RE2 expression for a whole value. Envoy refuses an empty expression, which matches an empty value.
func matching(regex string) *matcherv3.StringMatcher {
	if regex == "" {
		return exactly("")
	}
	return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_SafeRegex{SafeRegex: expression(regex)}}
}

func expression(regex string) *matcherv3.RegexMatcher { return &matcherv3.RegexMatcher{Regex: regex} }
