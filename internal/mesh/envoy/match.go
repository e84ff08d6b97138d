package envoy

import (
	"cmp"
	"regexp"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
)

// anyRequest matches every path.
func anyRequest() *routev3.RouteMatch {
	return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: ""}}
}

// requestMatch matches the whole path without its query, the method and the headers.
func requestMatch(m catalog.HTTPMatch) *routev3.RouteMatch {
	out := anyRequest()
	if m.PathRegex != "" && m.PathRegex != ".*" {
		out.PathSpecifier = &routev3.RouteMatch_SafeRegex{SafeRegex: regexMatcher(m.PathRegex)}
	}
	if len(m.Methods) > 0 {
		out.Headers = append(out.Headers, methodMatcher(m.Methods))
	}
	for _, h := range m.Headers {
		out.Headers = append(out.Headers, headerMatcher(h.Name, regexValue(h.Regex)))
	}
	return out
}

// maxRouteName is the maximum length of the name of a route in characters. It is a label of metrics.
const maxRouteName = 128

// routeName names a route by what it matches. Policies bound the number of names.
func routeName(m catalog.HTTPMatch) string {
	name := cmp.Or(m.PathRegex, ".*")
	if len(m.Methods) > 0 {
		name = strings.Join(m.Methods, ",") + " " + name
	}
	for _, h := range m.Headers {
		name += " " + h.Name
	}
	if runes := []rune(name); len(runes) > maxRouteName {
		return string(runes[:maxRouteName-1]) + "…"
	}
	return name
}

// methodMatcher matches any of the methods. Methods are quoted because they are not regular expressions.
func methodMatcher(methods []string) *routev3.HeaderMatcher {
	if len(methods) == 1 {
		return headerMatcher(":method", message.Exact(methods[0]))
	}
	quoted := make([]string, 0, len(methods))
	for _, m := range methods {
		quoted = append(quoted, regexp.QuoteMeta(m))
	}
	return headerMatcher(":method", regexValue(strings.Join(quoted, "|")))
}

func headerMatcher(name string, value *matcherv3.StringMatcher) *routev3.HeaderMatcher {
	return &routev3.HeaderMatcher{
		Name:                 name,
		HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: value},
	}
}

// regexValue matches a whole value with an RE2 expression. An empty expression becomes an exact match, because Envoy
// rejects it.
func regexValue(regex string) *matcherv3.StringMatcher {
	if regex == "" {
		return message.Exact("")
	}
	return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_SafeRegex{SafeRegex: regexMatcher(regex)}}
}

func regexMatcher(regex string) *matcherv3.RegexMatcher { return &matcherv3.RegexMatcher{Regex: regex} }
