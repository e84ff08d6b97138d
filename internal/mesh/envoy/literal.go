package envoy

import (
	"strings"
	"unicode/utf8"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
)

// operators are the characters that mean something else than themselves in an expression.
const operators = `.+*?()|[]{}^$`

// literal returns the text of an expression without operators, or with .* as its only one, at its end: then prefix is true. Most paths of policies are
// like this, and Envoy compares a text many times as fast as it runs an expression. Both match the same values: expressions match whole values, and
// a dot matches each byte that a path or a header can have.
func literal(expression string) (text string, prefix, ok bool) {
	rest := strings.TrimPrefix(expression, "^")
	var b strings.Builder
	for i := 0; i < len(rest); i++ {
		switch c := rest[i]; {
		case rest[i:] == "$":
			return b.String(), false, true
		case rest[i:] == ".*" || rest[i:] == ".*$":
			return b.String(), true, true
		case c == '\\':
			i++
			if i == len(rest) || !isPunctuation(rest[i]) {
				return "", false, false
			}
			b.WriteByte(rest[i])
		case c >= utf8.RuneSelf || strings.IndexByte(operators, c) >= 0:
			return "", false, false
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), false, true
}

// isPunctuation reports whether a character means itself after a backslash.
func isPunctuation(c byte) bool {
	return c > ' ' && c < 0x7f && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
}

// setPath makes a route match whole paths without their query. An empty expression matches every path.
func setPath(match *routev3.RouteMatch, expression string) {
	text, prefix, ok := literal(expression)
	switch {
	case strings.ContainsAny(text, "?#"): // an expression for no path: a prefix could be compared with the query too
		match.PathSpecifier = &routev3.RouteMatch_SafeRegex{SafeRegex: message.Expression(expression)}
	case expression == "" || ok && prefix:
		match.PathSpecifier = &routev3.RouteMatch_Prefix{Prefix: text}
	case ok:
		match.PathSpecifier = &routev3.RouteMatch_Path{Path: text}
	default:
		match.PathSpecifier = &routev3.RouteMatch_SafeRegex{SafeRegex: message.Expression(expression)}
	}
}

// pathValue matches the same paths as a route; nil for every path.
func pathValue(match *routev3.RouteMatch) *matcherv3.StringMatcher {
	switch path := match.GetPathSpecifier().(type) {
	case *routev3.RouteMatch_Path:
		return message.Exact(path.Path)
	case *routev3.RouteMatch_SafeRegex:
		return message.Regex(path.SafeRegex.GetRegex())
	case *routev3.RouteMatch_Prefix:
		if path.Prefix != "" {
			return message.Prefix(path.Prefix)
		}
	}
	return nil
}

// regexValue matches a whole value with an expression. An empty one is an exact match, because Envoy rejects it.
func regexValue(expression string) *matcherv3.StringMatcher {
	text, prefix, ok := literal(expression)
	switch {
	case ok && !prefix:
		return message.Exact(text)
	case ok && text != "": // Envoy rejects an empty prefix
		return message.Prefix(text)
	}
	return message.Regex(expression)
}

func contains(text string) *matcherv3.StringMatcher {
	return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Contains{Contains: text}}
}
