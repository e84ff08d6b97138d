package scripts_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/cli"
	"github.com/openservicemesh/osm-operator/internal/testing/pages"
)

// sizes are numbers that follow the translation to Envoy, which goes on without the pages.
var sizes = regexp.MustCompile(`\b([CELRS]DS|ECDS) [0-9]+\b|\b[0-9.]+ (kB|bytes)\b|\s[0-9]+$`)

// A page of the documentation that needs no cluster shows what happens.
func TestPageBeforeYouApply(t *testing.T) {
	page, err := os.ReadFile("../../../docs/cli/before-you-apply.md")
	if err != nil {
		t.Fatal(err)
	}
	steps, err := pages.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS("../../../config/samples/bookstore")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(folder)
	t.Setenv("KUBECONFIG", filepath.Join(folder, "none"))
	commands := 0
	for _, step := range steps {
		if step.File != "" {
			if err := os.MkdirAll(filepath.Dir(step.File), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(step.File, []byte(step.Content), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		commands++
		words := strings.Fields(step.Command)
		var out bytes.Buffer
		cli.Run(t.Context(), words[0], words[1:], cli.Streams{In: strings.NewReader(""), Out: &out, Err: &out})
		if !pages.Matches(withoutSizes(step.Output), strings.Join(withoutSizes(strings.Split(out.String(), "\n")), "\n")) {
			t.Errorf("line %d: %s prints, other than the page says:\n%s", step.Line, step.Command, out.String())
		}
	}
	if commands == 0 {
		t.Error("the page shows no command")
	}
}

func withoutSizes(lines []string) []string {
	var all []string
	for _, line := range lines {
		all = append(all, sizes.ReplaceAllString(strings.TrimRight(line, " "), " N"))
	}
	return all
}
