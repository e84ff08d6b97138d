// Command compile compiles a program of this repository: go run ./compile OUTPUT PACKAGE, both relative to the root.
//
// It is `go build` with the flags and the environment of the images, so that they share the go build cache, and less work for the compilers. See
// hack/internal/build.
package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/openservicemesh/osm-operator/hack/internal/build"
	"github.com/openservicemesh/osm-operator/hack/internal/entrypoint"
	"github.com/openservicemesh/osm-operator/hack/internal/progress"
	"github.com/openservicemesh/osm-operator/hack/internal/repo"
)

func main() {
	entrypoint.Main("compile", func(ctx context.Context) error { return run(ctx, os.Args[1:]) })
}

func run(ctx context.Context, args []string) error {
	if len(args) != 2 {
		return errors.New("usage: go run ./compile OUTPUT PACKAGE")
	}
	root, err := repo.Root(".")
	if err != nil {
		return err
	}
	command := build.Command{
		Dir: root, Env: []string{"CGO_ENABLED=0"}, Args: []string{"go", "build", "-trimpath", "-buildvcs=false", "-o", args[0], args[1]},
	}
	return progress.New(os.Stderr, time.Now).Run(ctx, "compiling "+args[1], func(ctx context.Context) error { return build.Run(ctx, command) })
}
