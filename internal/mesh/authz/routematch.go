package authz

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// SelectsRequest reports whether a match of a route selects a request, as the client sends it.
func SelectsRequest(match *catalog.RouteMatch, r Request) bool {
	return clientMessage(r).matchesRoute(match)
}

// matchesRoute reports whether every part of a match of a route applies.
func (m message) matchesRoute(match *catalog.RouteMatch) bool {
	if match.Method != "" && match.Method != m.method || !MatchesPath(*match, m.path) {
		return false
	}
	return m.hasHeaders(match.Headers) && m.hasParameters(match.Query)
}

// MatchesPath reports whether the path of a match applies to a path without a query. Prefixes end at a slash.
func MatchesPath(m catalog.RouteMatch, path string) bool {
	switch m.PathType {
	case catalog.PathExact:
		return path == m.Path
	case catalog.PathExpression:
		return fullMatch(m.Path, path)
	}
	prefix := strings.TrimRight(m.Path, "/")
	return path == prefix || strings.HasPrefix(path, prefix+"/")
}

// ExpressionsOf returns a match of a route as expressions, without its parameters. Every path has none.
func ExpressionsOf(m catalog.RouteMatch) catalog.HTTPMatch {
	match := catalog.HTTPMatch{PathRegex: m.Path}
	switch prefix := strings.TrimRight(m.Path, "/"); {
	case m.PathType == catalog.PathExact:
		match.PathRegex = regexp.QuoteMeta(m.Path)
	case m.PathType == catalog.PathPrefix && prefix == "":
		match.PathRegex = ""
	case m.PathType == catalog.PathPrefix:
		match.PathRegex = regexp.QuoteMeta(prefix) + "(/.*)?"
	}
	if m.Method != "" {
		match.Methods = []string{m.Method}
	}
	for _, h := range m.Headers {
		header := catalog.HeaderMatch{Name: strings.ToLower(h.Name), Regex: h.Value}
		if !h.Regex {
			header.Regex = regexp.QuoteMeta(h.Value)
		}
		match.Headers = append(match.Headers, header)
	}
	return match
}

// DescribeMatch formats a match with methods, such as "GET /books -H 'client-app: .*'".
func DescribeMatch(m catalog.HTTPMatch, methods string) string {
	text := methods + " " + cmp.Or(m.PathRegex, "any path")
	for _, h := range m.Headers {
		text += fmt.Sprintf(" -H '%s: %s'", h.Name, h.Regex)
	}
	return text
}

func (m message) hasHeaders(desired []catalog.ValueMatch) bool {
	return !slices.ContainsFunc(desired, func(h catalog.ValueMatch) bool {
		name := strings.ToLower(h.Name)
		if name == "host" {
			name = ":authority"
		}
		value, present := m.headers[name]
		return !present || !matchesValue(h, value)
	})
}

// hasParameters compares the first value of each parameter, as it is in the request.
func (m message) hasParameters(desired []catalog.ValueMatch) bool {
	return !slices.ContainsFunc(desired, func(q catalog.ValueMatch) bool {
		for parameter := range strings.SplitSeq(m.query, "&") {
			if name, value, _ := strings.Cut(parameter, "="); name == q.Name {
				return !matchesValue(q, value)
			}
		}
		return true
	})
}

func matchesValue(m catalog.ValueMatch, value string) bool {
	if m.Regex {
		return fullMatch(m.Value, value)
	}
	return value == m.Value
}

// EditRequest returns the request as the server receives it after the filters of a rule.
func EditRequest(r Request, match *catalog.RouteMatch, filters catalog.RouteFilters) Request {
	r.Headers = editHeaders(r.Headers, filters.Request)
	if rewrite := filters.Rewrite; rewrite != nil {
		if rewrite.Hostname != "" {
			r.Headers = editHeaders(r.Headers, catalog.HeaderEdits{Set: []catalog.HeaderValue{{Name: ":authority", Value: rewrite.Hostname}}})
		}
		if rewrite.Path != nil {
			r.Path = rewritePath(r.Path, match.Path, *rewrite.Path)
		}
	}
	return r
}

func editHeaders(headers []Header, edits catalog.HeaderEdits) []Header {
	replaced := func(h Header) bool {
		return slices.ContainsFunc(edits.Remove, func(name string) bool { return strings.EqualFold(name, h.Name) }) ||
			slices.ContainsFunc(edits.Set, func(set catalog.HeaderValue) bool { return strings.EqualFold(set.Name, h.Name) })
	}
	result := slices.DeleteFunc(slices.Clone(headers), replaced)
	for _, h := range slices.Concat(edits.Set, edits.Add) {
		result = append(result, Header(h))
	}
	return result
}

// rewritePath replaces the path, or the prefix that a match has, and keeps the query.
func rewritePath(path, matched string, edit catalog.PathEdit) string {
	path, query, hasQuery := strings.Cut(path, "?")
	matched, value := strings.TrimRight(matched, "/"), strings.TrimRight(edit.Value, "/")
	switch {
	case !edit.Prefix:
		path = edit.Value
	case value == "" || matched == "":
		rest := strings.TrimLeft(strings.TrimPrefix(path, matched), "/")
		path = value + "/" + rest
	default:
		path = value + strings.TrimPrefix(path, matched)
	}
	if hasQuery {
		path += "?" + query
	}
	return path
}
