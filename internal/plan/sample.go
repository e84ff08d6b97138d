package plan

import (
	"path"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/openservicemesh/osm-operator/internal/authz"
	"github.com/openservicemesh/osm-operator/internal/catalog"
)

const (
	// maxExamples is how many examples of an expression are asked about.
	maxExamples = 3
	// maxSpelled is how many strings of a part of an expression are looked at.
	maxSpelled = 24
)

// filler are the characters by which an example fills in for any: one that no path is likely to have, and the one that every
// path begins with.
const filler = "~/"

// pathsOf are paths that match an expression as a whole, in the form in which sidecars match them; none when none was found.
func pathsOf(expression string) []string {
	return examples(expression, func(text string) bool {
		return strings.HasPrefix(text, "/") && !strings.ContainsAny(text, `%?#\`) && httpguts.ValidHeaderFieldValue(text) &&
			(path.Clean(text) == text || path.Clean(text)+"/" == text)
	})
}

// headersOf is one value for each header; nil when one of them has none.
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

// examples are a few strings that match an expression as a whole, and fit.
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
	for _, text := range spell(parsed.Simplify()) {
		if fit(text) && whole.MatchString(text) && !slices.Contains(found, text) {
			found = append(found, text)
		}
	}
	if len(found) > maxExamples { // the last one is the shortest, and often decided otherwise than the others
		found = append(found[:maxExamples-1], found[len(found)-1])
	}
	return found
}

// spell lists strings that an expression may mean, anchors aside.
func spell(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpLiteral:
		return []string{string(re.Rune)}
	case syntax.OpCharClass:
		return members(re.Rune)
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return strings.Split(filler, "")
	case syntax.OpCapture:
		return spell(re.Sub[0])
	case syntax.OpStar:
		return append(repeated(re.Sub[0]), "")
	case syntax.OpPlus:
		return repeated(re.Sub[0])
	case syntax.OpQuest:
		return append(spell(re.Sub[0]), "")
	case syntax.OpConcat:
		return sequence(re.Sub)
	case syntax.OpAlternate:
		var all []string
		for _, sub := range re.Sub {
			all = append(all, first(spell(sub), maxSpelled/len(re.Sub)+1)...)
		}
		return all
	case syntax.OpNoMatch:
		return nil
	}
	return []string{""} // anchors and boundaries
}

// members are characters of a class, those first that read well.
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

// repeated are strings of one or two of what an expression means, the plainest first.
func repeated(re *syntax.Regexp) []string {
	once := first(spell(re), 3)
	all := slices.Clone(once)
	for _, a := range once {
		for _, b := range once {
			if a != b {
				all = append(all, a+b)
			}
		}
	}
	return first(all, maxSpelled)
}

// sequence joins what the parts of an expression mean, in several ways.
func sequence(parts []*syntax.Regexp) []string {
	all := []string{""}
	for _, part := range parts {
		var longer []string
		for _, end := range spell(part) {
			for _, begin := range spread(all, 6) {
				longer = append(longer, begin+end)
			}
		}
		all = first(longer, maxSpelled)
	}
	return all
}

// spread are at most n of a list, from its beginning to its end.
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
