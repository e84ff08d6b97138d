package analyze_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/openservicemesh/osm-operator/internal/cli/analyze"
	"github.com/openservicemesh/osm-operator/internal/mesh/validate"
)

// TestMistakesAreSeen makes each mistake of an archive, and requires that it is seen where the archive says. A mistake that is seen nowhere costs
// people hours.
func TestMistakesAreSeen(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/mistakes.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range archive.Files {
		t.Run(file.Name, func(t *testing.T) {
			expected, text := 0, string(file.Data)
			rejections, warnings, found := seenMistake(t, text)
			for _, line := range strings.Split(text, "\n") {
				where, want, isExpectation := strings.Cut(strings.TrimPrefix(line, "# "), ": ")
				if !strings.HasPrefix(line, "# ") || !isExpectation {
					continue
				}
				expected++
				seen, known := map[string][]string{"admission": rejections, "warning": warnings, "analyze": found}[where]
				if !known || !slices.ContainsFunc(seen, func(s string) bool { return strings.Contains(s, want) }) {
					t.Errorf("%s does not have %q, but %q", where, want, seen)
				}
			}
			if expected == 0 {
				t.Error("the archive does not say where the mistake is seen")
			}
			if len(rejections) > 0 && !strings.Contains(text, "# admission: ") {
				t.Errorf("it is rejected: %q", rejections)
			}
			if len(rejections) == 0 && !slices.ContainsFunc(found, func(f string) bool { return strings.HasPrefix(f, "Error ") || strings.HasPrefix(f, "Warning ") }) {
				t.Errorf("it is accepted, and osm analyze has neither an Error nor a Warning, but %q", found)
			}
		})
	}
}

// seenMistake returns the rejections and warnings of admission, and the findings of analyze as "<severity> <code>".
func seenMistake(t *testing.T, text string) (rejections, warnings, found []string) {
	t.Helper()
	for _, object := range decode(t, text) {
		rejected, warned := validate.Split(validate.Object(object))
		rejections, warnings = append(rejections, rejected...), append(warnings, warned...)
	}
	for _, f := range analyze.Run(mesh(t, with(t, text))).Findings {
		found = append(found, string(f.Severity)+" "+f.Code)
	}
	return rejections, warnings, found
}
