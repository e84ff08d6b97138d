package ingest

import (
	"regexp"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// knownMethods are the methods of HTTP and of WebDAV. Clients may have others, so those cause a warning.
var knownMethods = []string{
	"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE",
	"PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "REPORT", "SEARCH", "PURGE", "QUERY",
}

// warnAboutPath reports expressions that match no path, and those that look like a glob or have a query. Paths begin with a slash and have no query.
func warnAboutPath(field string, match catalog.HTTPMatch, found *Problems) {
	expression := match.PathRegex
	switch {
	case matchesNoPath(expression):
		found.Idle(ReasonInvalidRegex, "%s.pathRegex %.80q of the match %.80q matches no path, because paths begin with /: write for example %q.",
			field, expression, match.Name, suggestedPath(expression))
	case strings.ContainsAny(expression, " #") && strings.ContainsAny(LiteralPrefix(expression), " #"):
		found.Idle(ReasonInvalidRegex, "%s.pathRegex %.80q of the match %.80q matches no path, because no path has a space or a #: write %%20 for a space, and omit the fragment.",
			field, expression, match.Name)
	case queryInPath.MatchString(expression):
		found.Warn(ReasonInvalidRegex, "%s.pathRegex %.80q of the match %.80q has a query, but paths are compared without one, and ? makes the character before it optional: omit the query.",
			field, expression, match.Name)
	case strings.HasSuffix(expression, "/*"):
		found.Warn(ReasonInvalidRegex, "%s.pathRegex %.80q of the match %.80q is a regular expression, and matches only repetitions of the slash: for all paths below it, write %q.",
			field, expression, match.Name, withoutGlobs(expression))
	case glob.MatchString(expression):
		found.Warn(ReasonInvalidRegex, "%s.pathRegex %.80q of the match %.80q is a regular expression, in which * repeats the character before it: for any text there, write %q.",
			field, expression, match.Name, withoutGlobs(expression))
	}
}

// warnAboutHeader reports expressions for the value of a header that look like a glob, and hosts that have a scheme or a path.
func warnAboutHeader(field string, header catalog.HeaderMatch, found *Problems) {
	switch {
	case header.Name == ":authority" && strings.Contains(LiteralPrefix(header.Regex), "/"):
		found.Idle(ReasonInvalidHeader, "%s has %.80q for the host, which matches no request, because hosts have neither a scheme nor a path: write for example %q.",
			field, header.Regex, hostOf(header.Regex))
	case glob.MatchString(header.Regex):
		found.Warn(ReasonInvalidRegex, "%s has %.80q for %s, a regular expression in which * repeats the character before it: for any text there, write %q.",
			field, header.Regex, header.Name, withoutGlobs(header.Regex))
	}
}

// LiteralPrefix returns the text that all matches of an expression begin with.
func LiteralPrefix(text string) string {
	expression, err := regexp.Compile(strings.TrimPrefix(text, "^"))
	if err != nil {
		return ""
	}
	prefix, _ := expression.LiteralPrefix()
	return prefix
}

// matchesNoPath reports whether an expression begins with text that no path begins with. The request target * of OPTIONS is the exception.
func matchesNoPath(text string) bool {
	if strings.HasPrefix(text, "/") {
		return false // compiling the expressions of a large group is expensive
	}
	prefix := LiteralPrefix(text)
	return prefix != "" && prefix != "*" && !strings.HasPrefix(prefix, "/")
}

// queryInPath matches an expression with something like ?name=value.
var queryInPath = regexp.MustCompile(`[\w/]\\??\?\w+=`)

// glob matches an expression with a star for any text: after a letter, a digit, a dash or a slash, and at the end or before a slash. The classes
// of regular expressions, such as \w, are not followed by one.
var glob = regexp.MustCompile(`(^|[^\\])([\w-]|/)\*(/|$)`)

// withoutGlobs returns the expression that the author of a glob meant.
func withoutGlobs(expression string) string {
	if strings.HasSuffix(expression, "*") {
		expression = strings.TrimSuffix(expression, "*") + ".*"
	}
	for {
		at := glob.FindStringIndex(expression)
		if at == nil {
			return expression
		}
		star := at[0] + strings.IndexByte(expression[at[0]:], '*')
		expression = expression[:star] + "[^/]+" + expression[star+1:]
	}
}

// suggestedPath returns an expression for the path of a URL, or a path with a slash.
func suggestedPath(expression string) string {
	expression = strings.TrimPrefix(expression, "^")
	if _, rest, found := strings.Cut(expression, "://"); found {
		_, path, _ := strings.Cut(rest, "/")
		return "/" + path
	}
	return "/" + expression
}

// hostOf returns the host of a URL.
func hostOf(text string) string {
	if _, rest, found := strings.Cut(text, "://"); found {
		text = rest
	}
	host, _, _ := strings.Cut(text, "/")
	return host
}
