package scripts_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/testing/pages"
)

// sizes matches counts and sizes of Envoy resources. They change with the translation, which the page does not describe.
var sizes = regexp.MustCompile(`\b([CELRS]DS|ECDS) [0-9]+\b|\b[0-9.]+ (kB|bytes)\b|\s[0-9]+$`)

// progressLine matches what commands print on a slow machine, after two seconds.
var progressLine = regexp.MustCompile(`^ *[0-9]+s  `)

// TestPageBeforeYouApply runs the commands of a page that needs no cluster.
func TestPageBeforeYouApply(t *testing.T) {
	repository, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(repository, "docs", "cli", "before-you-apply.md"))
	if err != nil {
		t.Fatal(err)
	}
	steps, err := pages.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	if len(steps) == 0 {
		t.Fatal("the page has no commands")
	}
	checkout := t.TempDir()
	samples := filepath.Join("config", "samples")
	if err := os.CopyFS(filepath.Join(checkout, samples), os.DirFS(filepath.Join(repository, samples))); err != nil {
		t.Fatal(err)
	}
	temporary := t.TempDir()
	shell := pages.Shell{
		Dir:   checkout,
		Env:   append(os.Environ(), "KUBECONFIG="+filepath.Join(temporary, "none")),
		State: filepath.Join(temporary, "state"),
	}
	for _, step := range steps {
		printed, err := shell.Run(t.Context(), step.Script)
		switch {
		case step.Output == nil && err != nil:
			t.Errorf("line %d: %v: %s%s", step.Line, err, step.Script, printed)
		case step.Output != nil && !pages.Matches(withoutSizes(step.Output), strings.Join(withoutSizes(strings.Split(printed, "\n")), "\n")):
			t.Errorf("line %d: %sprinted, different from the page:\n%s", step.Line, step.Script, printed)
		}
	}
	if left, err := os.ReadDir(checkout); err != nil || len(left) != 1 {
		t.Errorf("the page leaves files behind: %v, %v", left, err)
	}
	if left, err := filepath.Glob(filepath.Join(checkout, samples, "bookstore", "draft")); err != nil || len(left) > 0 {
		t.Errorf("the page leaves files behind: %v, %v", left, err)
	}
}

// withoutSizes returns lines of an output, with neither sizes nor progress.
func withoutSizes(lines []string) []string {
	var all []string
	for _, line := range lines {
		if progressLine.MatchString(line) {
			continue
		}
		all = append(all, sizes.ReplaceAllString(strings.TrimRight(line, " "), " N"))
	}
	return all
}
