package translate

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// anyPath is the path of a match for every path.
const anyPath = "/"

// routePath returns the path of a route for an expression that must match the whole path: an exact path or a prefix where they are equal.
func routePath(expression string) (kind, value string) {
	if expression == "" {
		return catalog.PathPrefix, anyPath
	}
	parsed, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return catalog.PathExpression, expression
	}
	parts := flatten(parsed)
	switch text, literal := literalText(parts); {
	case literal && isPath(text):
		return catalog.PathExact, text
	case literal:
		return catalog.PathExpression, expression
	case matchesAnyPath(parts):
		return catalog.PathPrefix, anyPath
	}
	last := len(parts) - 1
	if text, literal := literalText(parts[:last]); literal && isOptionalSubpath(parts[last]) && isPath(text) && !strings.HasSuffix(text, "/") {
		return catalog.PathPrefix, text
	}
	return catalog.PathExpression, expression
}

// isAnyPath reports whether a match applies to every path.
func isAnyPath(m catalog.RouteMatch) bool {
	if m.PathType == catalog.PathExpression {
		kind, value := routePath(m.Path)
		return kind == catalog.PathPrefix && value == anyPath
	}
	return m.PathType == catalog.PathPrefix && strings.TrimRight(m.Path, "/") == ""
}

// literalValue returns the only text that an expression matches.
func literalValue(expression string) (string, bool) {
	parsed, err := syntax.Parse(expression, syntax.Perl)
	if err != nil || expression == "" {
		return "", false
	}
	return literalText(flatten(parsed))
}

// flatten returns the parts of an expression without groups and without anchors at its ends, which change nothing in a match of the whole text.
func flatten(re *syntax.Regexp) []*syntax.Regexp {
	re = ungrouped(re)
	parts := []*syntax.Regexp{re}
	if re.Op == syntax.OpConcat {
		parts = re.Sub
	}
	if len(parts) > 1 && parts[0].Op == syntax.OpBeginText {
		parts = parts[1:]
	}
	if last := len(parts) - 1; last > 0 && parts[last].Op == syntax.OpEndText {
		parts = parts[:last]
	}
	return parts
}

func ungrouped(re *syntax.Regexp) *syntax.Regexp {
	for re.Op == syntax.OpCapture {
		re = re.Sub[0]
	}
	return re
}

// literalText joins parts that match one text only.
func literalText(parts []*syntax.Regexp) (string, bool) {
	text := ""
	for _, part := range parts {
		if part = ungrouped(part); part.Op != syntax.OpLiteral || part.Flags&syntax.FoldCase != 0 {
			return "", false
		}
		text += string(part.Rune)
	}
	return text, text != ""
}

// matchesAnyPath reports whether parts match every path. Each begins with a slash.
func matchesAnyPath(parts []*syntax.Regexp) bool {
	if len(parts) == 2 {
		return isSlash(parts[0]) && isAnything(parts[1])
	}
	part := ungrouped(parts[0])
	return len(parts) == 1 && (isAnything(part) || isOptionalSubpath(part) || part.Op == syntax.OpPlus && isAnyCharacter(part.Sub[0]) ||
		part.Op == syntax.OpConcat && matchesAnyPath(part.Sub))
}

// isOptionalSubpath reports whether an expression matches nothing, or a slash and anything: (/.*)? and (/.*|$).
func isOptionalSubpath(re *syntax.Regexp) bool {
	re = ungrouped(re)
	switch {
	case re.Op == syntax.OpQuest:
		return isSubpath(re.Sub[0])
	case re.Op == syntax.OpAlternate && len(re.Sub) == 2:
		return isSubpath(re.Sub[0]) && isNothing(re.Sub[1]) || isSubpath(re.Sub[1]) && isNothing(re.Sub[0])
	}
	return false
}

func isSubpath(re *syntax.Regexp) bool {
	re = ungrouped(re)
	return re.Op == syntax.OpConcat && len(re.Sub) == 2 && isSlash(re.Sub[0]) && isAnything(re.Sub[1])
}

func isNothing(re *syntax.Regexp) bool {
	re = ungrouped(re)
	return re.Op == syntax.OpEmptyMatch || re.Op == syntax.OpEndText
}

func isSlash(re *syntax.Regexp) bool {
	re = ungrouped(re)
	return re.Op == syntax.OpLiteral && string(re.Rune) == "/"
}

func isAnything(re *syntax.Regexp) bool {
	re = ungrouped(re)
	return re.Op == syntax.OpStar && isAnyCharacter(re.Sub[0])
}

// isAnyCharacter includes an expression without line ends, which paths and headers do not have.
func isAnyCharacter(re *syntax.Regexp) bool {
	re = ungrouped(re)
	return re.Op == syntax.OpAnyChar || re.Op == syntax.OpAnyCharNotNL
}

// gatewayPath has the characters that the Gateway API permits in exact paths and prefixes.
var gatewayPath = regexp.MustCompile(`^/(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})*$`)

// isPath reports whether the Gateway API permits a text as an exact path or a prefix.
func isPath(text string) bool {
	for _, part := range []string{"//", "/./", "/../", "%2f", "%2F", "#"} {
		if strings.Contains(text, part) {
			return false
		}
	}
	return gatewayPath.MatchString(text) && len(text) <= maxPath && !strings.HasSuffix(text, "/..") && !strings.HasSuffix(text, "/.")
}

// maxPath is the longest path that the Gateway API permits.
const maxPath = 1024

// fullMatch reports whether an expression matches a whole text.
func fullMatch(expression, text string) bool {
	re, err := regexp.Compile(`\A(?:` + expression + `)\z`)
	return err == nil && re.MatchString(text)
}

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
