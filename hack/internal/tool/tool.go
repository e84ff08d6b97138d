package tool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/openservicemesh/osm-operator/hack/internal/build"
	"github.com/openservicemesh/osm-operator/hack/internal/paths"
	"github.com/openservicemesh/osm-operator/hack/internal/progress"
	"github.com/openservicemesh/osm-operator/hack/internal/repo"
)

// Toolbox builds and caches tools.
type Toolbox struct {
	// Root is the root of the checkout.
	Root string
	// Cache keeps the built tools.
	Cache build.Cache
	// Report prints when a build starts and ends, because a first build takes minutes.
	Report *progress.Reporter
}

// Path returns the path of the named program, and builds it if it is not cached.
func (b Toolbox) Path(ctx context.Context, name string) (string, error) {
	module := filepath.Join(b.Root, "hack", "tools", name)
	if _, err := os.Stat(filepath.Join(module, "go.mod")); err != nil {
		return "", fmt.Errorf("there is no tool %q: the tools are %s", name, strings.Join(b.names(), ", "))
	}
	settings, err := settings(module)
	if err != nil {
		return "", err
	}
	artifact := build.Artifact{
		Name:    name,
		Inputs:  settings,
		Sources: []string{filepath.Join(module, "go.mod"), filepath.Join(module, "go.sum")},
		Make: func(ctx context.Context, dir string) error {
			// The pattern "tool" matches every tool in the go.mod, which is exactly one.
			return build.Run(ctx, build.Command{
				Dir:  module,
				Env:  append([]string{"GOFLAGS=-mod=readonly -trimpath -buildvcs=false"}, settings...),
				Args: []string{"go", "build", "-o", filepath.Join(dir, name), "-ldflags=-s -w", "tool"},
			})
		},
	}
	folder, err := b.Cache.Ensure(ctx, artifact, func(run func(context.Context) error) error {
		return b.Report.Run(ctx, "build "+name, run)
	})
	return filepath.Join(folder, name), err
}

// settings reads the file build.env of a tool: variables of the go command, one a line, such as CGO_ENABLED=0. Most tools have none.
func settings(module string) ([]string, error) {
	content, err := os.ReadFile(filepath.Join(module, "build.env"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var lines []string
	for line := range strings.Lines(string(content)) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines, nil
}

func (b Toolbox) names() []string {
	found, _ := filepath.Glob(filepath.Join(b.Root, "hack", "tools", "*", "go.mod"))
	var names []string
	for _, file := range found {
		names = append(names, filepath.Base(filepath.Dir(file)))
	}
	return names
}

// Open returns the tools of the checkout that contains the working folder. Builds are reported on the writer.
func Open(report io.Writer) (Toolbox, error) {
	root, err := repo.Root(".")
	if err != nil {
		return Toolbox{}, err
	}
	cache, err := paths.FindCache(os.Getenv)
	if err != nil {
		return Toolbox{}, err
	}
	return Toolbox{
		Root:   root,
		Cache:  build.Cache{Dir: filepath.Join(cache, "tools")},
		Report: progress.New(report, time.Now),
	}, nil
}
