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
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// requestComparison compares requests by examples, before and after the edit.
type requestComparison struct {
	flows *flows
	// to is the destination of the requests.
	to string
	// evaluate evaluates an example on both sides.
	evaluate func(s sample) (before, after reply)
	// add adds a flow for the requests of a match whose access changes.
	add func(before, after reply, request, example string, m catalog.HTTPMatch)
}

// compare compares the requests of each match.
func (c requestComparison) compare(matches []catalog.HTTPMatch) {
	methods := mentioned(matches)
	for _, m := range matches {
		c.match(m, methods)
	}
}

// methodReply compares requests with one method.
type methodReply struct {
	method        string
	before, after reply
	example       sample
	differs       bool
}

// match compares the requests of one match.
func (c requestComparison) match(m catalog.HTTPMatch, known []string) {
	methods := m.Methods
	if len(methods) == 0 {
		methods = append(slices.Clone(known), another(known))
	}
	paths, headers := pathsOf(m.PathRegex), headersOf(m.Headers)
	if len(paths) == 0 || headers == nil {
		c.flows.recordUncompared("Requests to %s that match %s: no example of the expression was found, so whether they are allowed was not compared.", c.to, authz.DescribeMatch(m, "any method"))
		return
	}
	replies := lists.Map(methods, func(method string) methodReply { return c.method(method, paths, headers) })
	for len(replies) > 0 {
		first := replies[0]
		var same, rest []methodReply
		for _, r := range replies {
			if r.differs == first.differs && r.before.access == first.before.access && r.after.access == first.after.access {
				same = append(same, r)
			} else {
				rest = append(rest, r)
			}
		}
		if first.differs {
			request := authz.DescribeMatch(m, methodNames(m, same, len(rest) == 0 && len(same) == len(methods), another(known)))
			c.add(first.before, first.after, request, first.example.String(), m)
		}
		replies = rest
	}
}

// method evaluates examples with one method until a verdict changes.
func (c requestComparison) method(method string, paths []string, headers []authz.Header) methodReply {
	r := methodReply{method: method}
	for _, path := range paths {
		r.example = sample{method: method, path: path, headers: headers}
		r.before, r.after = c.evaluate(r.example)
		if r.differs = r.before.access != r.after.access; r.differs {
			return r
		}
	}
	return r
}

// methodNames formats the methods of a flow.
func methodNames(m catalog.HTTPMatch, replies []methodReply, all bool, other string) string {
	if all && len(m.Methods) == 0 {
		return "any method"
	}
	var names []string
	for _, r := range replies {
		if len(m.Methods) == 0 && r.method == other {
			names = append(names, "other methods")
		} else {
			names = append(names, r.method)
		}
	}
	return strings.Join(names, ", ")
}

// mentioned returns GET and all methods in the matches.
func mentioned(matches []catalog.HTTPMatch) []string {
	methods := []string{"GET"}
	for _, m := range matches {
		methods = append(methods, m.Methods...)
	}
	return lists.Unique(methods)
}

// another returns a method that is not in known. It stands for all other methods.
func another(known []string) string {
	for _, method := range []string{"PATCH", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "TRACE"} {
		if !slices.Contains(known, method) {
			return method
		}
	}
	return "OTHER"
}

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
		return lists.FlatMap(re.Sub, func(sub *syntax.Regexp) []string { return first(generate(sub), maxGenerated/len(re.Sub)+1) })
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
