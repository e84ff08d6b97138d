package pages

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/testing/pages"
)

const (
	// stepLimit is how long what a page shows may take to come true: most of it is policy on its way to sidecars.
	stepLimit = 40 * time.Second
	// commandLimit is for a command that itself waits, such as kubectl rollout status.
	commandLimit = 3 * time.Minute
	pause        = 500 * time.Millisecond
)

// reader follows pages: he writes the files and types the commands.
type reader struct {
	dir string
	env []string
}

// newReader has a folder that looks like a checkout, and kubectl and osm on his PATH.
func newReader(t *testing.T) *reader {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"config", "dist"} {
		if err := os.Symlink(cluster.Repository.Path(name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	path := strings.Join([]string{tools, cluster.Tools(), os.Getenv("PATH")}, string(os.PathListSeparator))
	return &reader{dir: dir, env: append(os.Environ(), "PATH="+path, "KUBECONFIG="+cluster.Kubeconfig)}
}

// follow does what a page says, and stops at the first thing that is not as the page shows it.
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
		t.Fatalf("%s has nothing to try: show a command in a console block", page)
	}
	for _, step := range steps {
		if err := r.do(t.Context(), step); err != nil {
			t.Fatalf("%s:%d: %v", page, step.Line, err)
		}
	}
}

func (r *reader) do(ctx context.Context, step pages.Step) error {
	if step.File != "" {
		return os.WriteFile(filepath.Join(r.dir, step.File), []byte(step.Content), 0o600)
	}
	deadline := time.Now().Add(stepLimit)
	for {
		printed, err := r.run(ctx, step.Command)
		switch {
		case len(step.Output) == 0 && err == nil, len(step.Output) > 0 && pages.Matches(step.Output, printed):
			return nil
		case changes(step.Command) || time.Now().After(deadline):
			return fmt.Errorf("$ %s\nprinted (%s)\n%s\nthe page shows\n%s", step.Command, fmt.Sprint(err), printed, strings.Join(step.Output, "\n"))
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// changing are commands that must do at once what the page shows; others only look, and look again.
var changing = regexp.MustCompile(`^(kubectl (apply|create|delete|patch|label|annotate|scale|rollout restart)|osm (namespace|metrics|wait|install|uninstall)) `)

func changes(command string) bool { return changing.MatchString(command) }

// run types a command into a shell; where it leads with cd, the next one begins.
func (r *reader) run(ctx context.Context, command string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	left := filepath.Join(filepath.Dir(r.dir), "left")
	script := fmt.Sprintf("%s\nstatus=$?\npwd > %q\nexit $status\n", command, left)
	cmd := exec.CommandContext(ctx, "sh", "-c", script)
	cmd.Dir, cmd.Env = r.dir, r.env
	printed, err := cmd.CombinedOutput()
	if where, readErr := os.ReadFile(left); readErr == nil {
		r.dir = strings.TrimSpace(string(where))
	}
	return string(printed), err
}
