package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/hack/internal/affected"
)

// changedSuites returns what `make check` runs: the linters, the comparison of generated files, and the unit tests and golden tests that
// a change since a commit can affect. They run without the race detector, which `make test` adds.
func changedSuites(ctx context.Context, c checkout, since string, out io.Writer) ([]suite, error) {
	files, err := changedFiles(ctx, c.root, since)
	if err != nil {
		return nil, err
	}
	var commands []command
	count := 0
	for _, module := range []string{c.root, c.hack()} {
		dirs, err := affectedTests(ctx, c.root, module, files)
		if err != nil {
			return nil, err
		}
		if count += len(dirs); len(dirs) > 0 {
			commands = append(commands, goTest(module, dirs))
		}
	}
	fmt.Fprintf(out, "%s changed since %s: %s with tests to run\n", pluralize(len(files), "file"), since, pluralize(count, "package"))
	chosen, err := selectSuites(suites(), []string{"lint", "drift"})
	if err != nil || len(commands) == 0 {
		return chosen, err
	}
	return append(chosen, suite{
		name: "unit", needs: []need{needEnvoy, needPrometheus, needPackagers},
		commands: func(checkout) ([]command, error) { return commands, nil },
	}), nil
}

// affectedTests returns the folders of one module whose unit tests and golden tests changed files can affect.
func affectedTests(ctx context.Context, root, module string, files []string) ([]string, error) {
	listed, err := affected.List(ctx, module)
	if err != nil {
		return nil, err
	}
	tested, err := findPackages(module)
	if err != nil {
		return nil, err
	}
	prefix, err := filepath.Rel(root, module)
	if err != nil {
		return nil, err
	}
	var own []string
	for _, file := range files {
		if relative, err := filepath.Rel(prefix, file); err == nil && !strings.HasPrefix(relative, "..") {
			own = append(own, filepath.ToSlash(relative))
		}
	}
	folders := affected.Folders(listed, own)
	return selectDirs(tested, func(p testPackage) bool {
		return slices.Contains(folders, strings.TrimPrefix(p.dir, "./")) && !p.envtest && !inE2E(p)
	}), nil
}

// changedFiles returns the files of a checkout that differ from those of a commit, committed or not.
func changedFiles(ctx context.Context, root, since string) ([]string, error) {
	var files []string
	for _, args := range [][]string{{"git", "diff", "--name-only", since}, {"git", "ls-files", "--others", "--exclude-standard"}} {
		text, err := runPlain(ctx, command{dir: root, args: args}, nil)
		if err != nil {
			return nil, fmt.Errorf("%w\n%s", err, text)
		}
		files = append(files, strings.Fields(text)...)
	}
	return files, nil
}

// forkPoint returns the commit where the current branch left main, or the earlier commit on main itself.
func forkPoint(ctx context.Context, root string) string {
	for _, main := range []string{"origin/main", "main"} {
		base, err := runPlain(ctx, command{dir: root, args: []string{"git", "merge-base", "HEAD", main}}, nil)
		if err != nil {
			continue
		}
		head, err := runPlain(ctx, command{dir: root, args: []string{"git", "rev-parse", "HEAD"}}, nil)
		if err == nil && base != head {
			return strings.TrimSpace(base)
		}
	}
	return "HEAD~1"
}
