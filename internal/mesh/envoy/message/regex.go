package message

import (
	"strings"

	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
)

// SessionFilter is the name of the HTTP filter for session persistence.
const SessionFilter = "envoy.filters.http.stateful_session"

// Regex matches a whole text.
func Regex(regex string) *matcherv3.RegexMatcher { return &matcherv3.RegexMatcher{Regex: regex} }

// Substitute replaces what an expression matches by a text.
func Substitute(regex, with string) *matcherv3.RegexMatchAndSubstitute {
	return &matcherv3.RegexMatchAndSubstitute{Pattern: Regex(regex), Substitution: strings.ReplaceAll(with, `\`, `\\`)}
}
