package tool

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/openservicemesh/osm-operator/hack/internal/build"
	"github.com/openservicemesh/osm-operator/hack/internal/progress"
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
	artifact := build.Artifact{
		Name:    name,
		Sources: []string{filepath.Join(module, "go.mod"), filepath.Join(module, "go.sum")},
		Make: func(ctx context.Context, dir string) error {
			// The pattern "tool" matches every tool in the go.mod, which is exactly one.
			return build.Run(ctx, build.Command{
				Dir:  module,
				Env:  []string{"GOFLAGS=-mod=readonly -trimpath -buildvcs=false"},
				Args: []string{"go", "build", "-o", dir + string(filepath.Separator), "-ldflags=-s -w", "tool"},
			})
		},
	}
	folder, err := b.Cache.Ensure(ctx, artifact, func(run func(context.Context) error) error {
		return b.Report.Run(ctx, "build "+name, run)
	})
	return filepath.Join(folder, name), err
}

func (b Toolbox) names() []string {
	found, _ := filepath.Glob(filepath.Join(b.Root, "hack", "tools", "*", "go.mod"))
	var names []string
	for _, file := range found {
		names = append(names, filepath.Base(filepath.Dir(file)))
	}
	return names
}
