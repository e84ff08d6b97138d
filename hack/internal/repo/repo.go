package repo

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Module is the Go module of the product; the folder of its go.mod is the root.
const Module = "github.com/openservicemesh/osm-operator"

// Root returns the root of the checkout that contains the folder.
func Root(folder string) (string, error) {
	start, err := filepath.Abs(folder)
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		content, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if first, _, _ := strings.Cut(string(content), "\n"); err == nil && strings.TrimSpace(first) == "module "+Module {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%s is not inside a checkout of %s", start, Module)
		}
	}
}

// Source is the state of a checkout that a release is built from.
type Source struct {
	// Root is the root of the checkout.
	Root string
	// Version is the content of the file VERSION.
	Version string
	// Commit is the hash of the last commit, and Time its time.
	Commit string
	Time   time.Time
	// Changed lists the uncommitted changes, as `git status --porcelain` prints them.
	Changed string
}

// ReadSource reads the state of the checkout with the given root.
func ReadSource(ctx context.Context, root string) (Source, error) {
	s := Source{Root: root}
	text, err := os.ReadFile(filepath.Join(root, "VERSION"))
	if err != nil {
		return s, err
	}
	s.Version = strings.TrimSpace(string(text))
	if s.Changed, err = s.Git(ctx, "status", "--porcelain"); err != nil {
		return s, err
	}
	last, err := s.Git(ctx, "log", "-1", "--format=%H %ct")
	if err != nil {
		return s, err
	}
	commit, seconds, _ := strings.Cut(last, " ")
	unix, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return s, fmt.Errorf("cannot parse the time %q of the last commit: %w", seconds, err)
	}
	s.Commit, s.Time = commit, time.Unix(unix, 0).UTC()
	return s, nil
}

// Git runs a git command in the checkout and returns its standard output.
func (s Source) Git(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Stderr = s.Root, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s failed: %w", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}
