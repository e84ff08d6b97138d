package compare

import (
	"path"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

const (
	// maxExamples is the maximum number of evaluated examples per expression.
	maxExamples = 3
	// maxGenerated is the maximum number of generated strings per subexpression.
	maxGenerated = 24
)

// filler has the characters that stand for any character: one that is unlikely in paths, and the first character of every path.
const filler = "~/"

// pathsOf returns paths that match an expression completely and are in normal form.
func pathsOf(expression string) []string {
	return examples(expression, func(text string) bool {
		return strings.HasPrefix(text, "/") && !strings.ContainsAny(text, `%?#\`) && httpguts.ValidHeaderFieldValue(text) &&
			(path.Clean(text) == text || path.Clean(text)+"/" == text)
	})
}

// headersOf returns one value for each header, or nil if a header has no example.
func headersOf(matches []catalog.HeaderMatch) []authz.Header {
	headers := []authz.Header{}
	for _, m := range matches {
		values := examples(m.Regex, httpguts.ValidHeaderFieldValue)
		if len(values) == 0 {
			return nil
		}
		headers = append(headers, authz.Header{Name: m.Name, Value: values[0]})
	}
	return headers
}

// examples returns a few strings that match an expression completely and fit.
func examples(expression string, fit func(string) bool) []string {
	if expression == "" {
		expression = ".*"
	}
	whole, err := regexp.Compile(`\A(?:` + expression + `)\z`)
	if err != nil {
		return nil
	}
	parsed, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return nil
	}
	var found []string
	for _, text := range generate(parsed.Simplify()) {
		if fit(text) && whole.MatchString(text) && !slices.Contains(found, text) {
			found = append(found, text)
		}
	}
	if len(found) > maxExamples { // the last one is the shortest, and often has another verdict
		found = append(found[:maxExamples-1], found[len(found)-1])
	}
	return found
}

// generate generates strings that an expression may match, ignoring anchors.
func generate(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpLiteral:
		return []string{string(re.Rune)}
	case syntax.OpCharClass:
		return members(re.Rune)
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return strings.Split(filler, "")
	case syntax.OpCapture:
		return generate(re.Sub[0])
	case syntax.OpStar:
		return append(repeated(re.Sub[0]), "")
	case syntax.OpPlus:
		return repeated(re.Sub[0])
	case syntax.OpQuest:
		return append(generate(re.Sub[0]), "")
	case syntax.OpConcat:
		return sequence(re.Sub)
	case syntax.OpAlternate:
		var all []string
		for _, sub := range re.Sub {
			all = append(all, first(generate(sub), maxGenerated/len(re.Sub)+1)...)
		}
		return all
	case syntax.OpNoMatch:
		return nil
	}
	return []string{""} // anchors and boundaries
}

// members returns characters of a class, readable ones first.
func members(ranges []rune) []string {
	var all []string
	has := func(r rune) bool {
		for i := 0; i+1 < len(ranges); i += 2 {
			if ranges[i] <= r && r <= ranges[i+1] {
				return true
			}
		}
		return false
	}
	for _, r := range "~a0/A-_" {
		if has(r) {
			all = append(all, string(r))
		}
	}
	for _, r := range ranges {
		if text := string(r); !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	return first(all, 2)
}

// repeated returns strings with one or two repetitions of an expression, the simplest first.
func repeated(re *syntax.Regexp) []string {
	once := first(generate(re), 3)
	all := slices.Clone(once)
	for _, a := range once {
		for _, b := range once {
			if a != b {
				all = append(all, a+b)
			}
		}
	}
	return first(all, maxGenerated)
}

// sequence concatenates the strings of subexpressions.
func sequence(parts []*syntax.Regexp) []string {
	all := []string{""}
	for _, part := range parts {
		var longer []string
		for _, end := range generate(part) {
			for _, begin := range spread(all, 6) {
				longer = append(longer, begin+end)
			}
		}
		all = first(longer, maxGenerated)
	}
	return all
}

// spread returns at most n evenly distributed items of a list.
func spread(list []string, n int) []string {
	if len(list) <= n {
		return list
	}
	var some []string
	for i := range n {
		some = append(some, list[i*(len(list)-1)/(n-1)])
	}
	return some
}

func first(list []string, n int) []string { return list[:min(n, len(list))] }
