package message

import (
	"strings"

	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
)

// SessionFilter is the name of the HTTP filter for session persistence.
const SessionFilter = "envoy.filters.http.stateful_session"

// RepeatSafeFilter is the name of the HTTP filter that lets requests without side effects be repeated. Routes that ask for no repetitions disable it.
const RepeatSafeFilter = "repeat-safe-requests"

// Expression is a regular expression, which matches a whole text in most fields.
func Expression(regex string) *matcherv3.RegexMatcher { return &matcherv3.RegexMatcher{Regex: regex} }

// Substitute replaces what an expression matches by a text.
func Substitute(regex, with string) *matcherv3.RegexMatchAndSubstitute {
	return &matcherv3.RegexMatchAndSubstitute{Pattern: Expression(regex), Substitution: strings.ReplaceAll(with, `\`, `\\`)}
}
