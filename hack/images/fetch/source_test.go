package fetch

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSourceOf covers a folder without git, a clean checkout, and a modified one.
func TestSourceOf(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("GIT_CEILING_DIRECTORIES", filepath.Dir(dir))
	if got := sourceOf(t.Context(), dir); got != (source{}) {
		t.Errorf("without git: %+v", got)
	}
	git := func(args ...string) {
		t.Helper()
		identity := []string{
			"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b",
			"GIT_COMMITTER_DATE=2026-01-02T03:04:05+00:00",
		}
		if _, err := run(t.Context(), dir, identity, append([]string{"git"}, args...)...); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "file")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	git("init", "--quiet")
	git("add", "file")
	git("commit", "--quiet", "--message", "one")
	clean := sourceOf(t.Context(), dir)
	if !regexp.MustCompile("^[0-9a-f]{40}$").MatchString(clean.commit) || !strings.HasPrefix(clean.date, "2026-01-02T03:04:05") {
		t.Errorf("clean: %+v", clean)
	}
	write("two")
	if got := sourceOf(t.Context(), dir); got != (source{clean.commit + "-dirty", clean.date}) {
		t.Errorf("changed: %+v", got)
	}
}

func TestLinkerVariables(t *testing.T) {
	const p = "-X github.com/openservicemesh/osm-operator/internal/platform/version."
	if got, want := linkerVariables("v1", source{}), p+"Version=v1"; got != want {
		t.Errorf("got %s", got)
	}
	if got, want := linkerVariables("v1", source{"c", "d"}), p+"Version=v1 "+p+"Commit=c "+p+"Date=d"; got != want {
		t.Errorf("got %s", got)
	}
}
