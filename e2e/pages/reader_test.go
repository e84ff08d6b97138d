package pages

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/testing/pages"
)

const (
	// stepTimeout bounds the retries of a step. Most of it is the propagation of policies to sidecars.
	stepTimeout = 40 * time.Second
	// scriptTimeout bounds one script. Scripts may wait themselves, for example in kubectl rollout status.
	scriptTimeout = 3 * time.Minute
	retryInterval = 500 * time.Millisecond
)

// checkoutFolders are the folders of the repository that pages refer to.
var checkoutFolders = []string{"config", "dist", "hack"}

// reader runs the scripts of a page in a folder that looks like a checkout, with kubectl and osm in its PATH.
type reader struct {
	dir   string
	shell pages.Shell
}

func newReader(t *testing.T) *reader {
	t.Helper()
	dir := t.TempDir()
	for _, name := range checkoutFolders {
		if err := os.Symlink(cluster.Repository.Path(name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	path := strings.Join([]string{tools, cluster.Tools(), os.Getenv("PATH")}, string(os.PathListSeparator))
	return &reader{dir: dir, shell: pages.Shell{
		Dir:   dir,
		Env:   append(os.Environ(), "PATH="+path, "KUBECONFIG="+cluster.Kubeconfig),
		State: filepath.Join(t.TempDir(), "state"),
	}}
}

// follow runs the steps of a page and fails the test at the first unexpected output.
func (r *reader) follow(t *testing.T, page string) {
	t.Helper()
	markdown, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	steps, err := pages.Parse(markdown)
	if err != nil {
		t.Fatalf("%s: %v", page, err)
	}
	if len(steps) == 0 {
		t.Fatalf("%s has no commands: add an sh block", page)
	}
	for _, step := range steps {
		if err := r.do(t.Context(), step); err != nil {
			t.Fatalf("%s:%d: %v", page, step.Line, err)
		}
	}
}

// leftovers lists the files that a page created and did not remove.
func (r *reader) leftovers(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		if entry.Type()&os.ModeSymlink == 0 {
			names = append(names, entry.Name())
		}
	}
	return names
}

func (r *reader) do(ctx context.Context, step pages.Step) error {
	deadline := time.Now().Add(stepTimeout)
	for {
		printed, err := r.run(ctx, step.Script)
		switch {
		case step.Output == nil && err == nil, step.Output != nil && pages.Matches(step.Output, printed):
			return nil
		case isMutating(step.Script) || time.Now().After(deadline):
			return errors.Join(fmt.Errorf("%sprinted\n%s\nexpected\n%s", step.Script, printed, strings.Join(step.Output, "\n")), err)
		}
		select {
		case <-time.After(retryInterval):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (r *reader) run(ctx context.Context, script string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, scriptTimeout)
	defer cancel()
	return r.shell.Run(ctx, script)
}

// mutating matches commands that must succeed the first time. All other scripts are retried.
var mutating = regexp.MustCompile(`(?m)^(kubectl (apply|create|delete|patch|label|annotate|scale|rollout restart)|osm (namespace|metrics|wait|install|uninstall)|rm) `)

func isMutating(script string) bool { return mutating.MatchString(script) }
