package compare

import (
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

func TestPathsOf(t *testing.T) {
	for expression, want := range map[string][]string{
		"":              {"/", "/~"},
		".*":            {"/", "/~"},
		"/books":        {"/books"},
		"/(a|b)/c":      {"/a/c", "/b/c"},
		"/a|/b":         {"/a", "/b"},
		"/(one|two)/x?": {"/one/x", "/two/x", "/two/"},
		".*a-book.*new": {"/~a-book~/new", "/~a-book/~new", "/~a-booknew"},
		"^/x$":          {"/x"},
		"no-slash":      nil,
		"(":             nil,
	} {
		if diff := cmp.Diff(want, pathsOf(expression)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", expression, diff)
		}
	}
}

// Common expressions have examples, and all examples match.
func TestCommonExpressionsHaveExamples(t *testing.T) {
	part := rapid.SampledFrom([]string{"/a", "/b-c", "/[0-9]+", "/[^/]+", "/(x|y|z)", "/.*", "/v\\d", "/a?", "/[a-f]{2,3}", "/\\w*"})
	rapid.Check(t, func(t *rapid.T) {
		expression := ""
		for _, p := range rapid.SliceOfN(part, 1, 5).Draw(t, "parts") {
			expression += p
		}
		got := pathsOf(expression)
		if len(got) == 0 {
			t.Fatalf("%q has no example", expression)
		}
		for _, path := range got {
			if !regexp.MustCompile(`\A(?:` + expression + `)\z`).MatchString(path) {
				t.Fatalf("%q does not match %q", path, expression)
			}
		}
	})
}

func TestHeadersOf(t *testing.T) {
	got := headersOf([]catalog.HeaderMatch{{Name: "client", Regex: "(buyer|thief)"}, {Name: "agent", Regex: "Go-.*"}})
	if len(got) != 2 || got[0].Value != "buyer" || !regexp.MustCompile("^Go-").MatchString(got[1].Value) {
		t.Errorf("headers are %v", got)
	}
	if got := headersOf([]catalog.HeaderMatch{{Name: "client", Regex: "("}}); got != nil {
		t.Errorf("an invalid expression has the example %v", got)
	}
}
