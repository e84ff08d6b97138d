package assets

import (
	"context"
	"path/filepath"

	"github.com/openservicemesh/osm-operator/hack/internal/build"
)

// unoptimized compiles faster. The suite and its servers run for minutes, and share the packages of a standard library that nothing else uses.
const unoptimized = "all=-N -l"

// ConformanceSuite compiles the conformance suite of the Gateway API, whose module needs a newer Go than this one, and returns the path of its program.
func (b Builder) ConformanceSuite(ctx context.Context) (string, error) {
	const program = "conformance.test"
	module := filepath.Join(filepath.Dir(b.Hack), "e2e", "conformance")
	folder, err := b.ensure(ctx, build.Artifact{
		Name: "conformance-suite", Inputs: []string{linkerFlags, unoptimized, "format 1"}, Sources: []string{module},
		Make: func(ctx context.Context, dir string) error {
			return build.Run(ctx, build.Command{
				Dir: module, Env: []string{"CGO_ENABLED=0", "GOTOOLCHAIN=auto"},
				Args: []string{"go", "test", "-c", "-trimpath", "-gcflags", unoptimized, "-ldflags", linkerFlags, "-o", filepath.Join(dir, program), "."},
			})
		},
	}, "compiling the conformance suite (once; about two minutes on two cores)")
	return filepath.Join(folder, program), err
}
