package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/openservicemesh/osm-operator/hack/internal/assets"
	"github.com/openservicemesh/osm-operator/hack/internal/build"
	"github.com/openservicemesh/osm-operator/hack/internal/entrypoint"
	"github.com/openservicemesh/osm-operator/hack/internal/paths"
	"github.com/openservicemesh/osm-operator/hack/internal/progress"
	"github.com/openservicemesh/osm-operator/hack/internal/repo"
)

func main() {
	entrypoint.Main("conformance", func(ctx context.Context) error { return run(ctx, os.Args[1:]) })
}

func run(ctx context.Context, args []string) error {
	root, err := repo.Root(".")
	if err != nil {
		return err
	}
	s := suite{folder: filepath.Join(root, "e2e", "conformance")}
	switch {
	case len(args) == 1 && args[0] == "build":
		return s.build(ctx)
	case len(args) == 1 && args[0] == "images":
		return s.printImages(ctx)
	case len(args) == 1 && args[0] == "definitions":
		return s.print(ctx, "sigs.k8s.io/gateway-api", "config", "crd", "standard")
	case len(args) > 1 && args[0] == "run":
		return s.run(ctx, args[1:])
	}
	return errors.New("use one of: build, which compiles the suite and the images that it needs; images, which prints the archives of the images that the suite needs; definitions, which prints the folder of the Gateway API's " +
		"definitions; run FLAGS, with the flags of the suite")
}

// suite is the module of the conformance suite. It needs a newer Go than this module, which the go command downloads.
type suite struct{ folder string }

func (s suite) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = s.folder
	cmd.Env = append(os.Environ(), "GOTOOLCHAIN=auto", "GOFLAGS=-trimpath", "GOWORK=off", "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	return cmd
}

// path returns the path of a file in a module that the suite uses.
func (s suite) path(ctx context.Context, module string, elements ...string) (string, error) {
	if err := s.command(ctx, "mod", "download", module).Run(); err != nil {
		return "", fmt.Errorf("cannot download the module %s: %w", module, err)
	}
	folder, err := s.command(ctx, "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return "", fmt.Errorf("cannot find the module %s: %w", module, err)
	}
	return filepath.Join(append([]string{strings.TrimSpace(string(folder))}, elements...)...), nil
}

func (s suite) print(ctx context.Context, module string, elements ...string) error {
	path, err := s.path(ctx, module, elements...)
	if err == nil {
		fmt.Println(path)
	}
	return err
}

var imagesOfManifest = regexp.MustCompile(`(?m)^\s*image: (\S+)$`)

// images returns the names of images in the manifests of a folder of the suite, sorted.
func (s suite) images(ctx context.Context, folder string) ([]string, error) {
	path, err := s.path(ctx, "sigs.k8s.io/gateway-api/conformance", folder)
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(path, "*.yaml"))
	if err != nil {
		return nil, err
	}
	var images []string
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for _, found := range imagesOfManifest.FindAllSubmatch(content, -1) {
			images = append(images, string(found[1]))
		}
	}
	if len(images) == 0 {
		return nil, fmt.Errorf("the manifests in %s name no image", path)
	}
	slices.Sort(images)
	return slices.Compact(images), nil
}

// newBuilder returns what builds the suite and its images, and caches them.
func newBuilder() (assets.Builder, error) {
	hack, err := assets.FindHack()
	if err != nil {
		return assets.Builder{}, err
	}
	cache, err := paths.FindCache(os.Getenv)
	return assets.Builder{Hack: hack, Cache: build.Cache{Dir: cache}, Report: progress.New(os.Stderr, time.Now)}, err
}

// build compiles the suite and the images that the manifests of the tests name.
func (s suite) build(ctx context.Context) error {
	builder, err := newBuilder()
	if err != nil {
		return err
	}
	if _, err := builder.ConformanceSuite(ctx); err != nil {
		return err
	}
	_, err = s.archives(ctx, builder)
	return err
}

// printImages prints the paths of the archives of the images that the manifests of the tests name.
func (s suite) printImages(ctx context.Context) error {
	builder, err := newBuilder()
	if err != nil {
		return err
	}
	archives, err := s.archives(ctx, builder)
	if err != nil {
		return err
	}
	fmt.Println(strings.Join(archives, "\n"))
	return nil
}

// archives builds the images that the manifests of the tests name, and returns the paths of their archives.
func (s suite) archives(ctx context.Context, builder assets.Builder) ([]string, error) {
	var archives []string
	for _, image := range []struct {
		manifests string
		build     func(context.Context, []string) (string, error)
	}{{"mesh", builder.Echo}, {"base", builder.EchoBasic}} {
		references, err := s.images(ctx, image.manifests)
		if err != nil {
			return nil, err
		}
		folder, err := image.build(ctx, references)
		if err != nil {
			return nil, err
		}
		for i := range references {
			archives = append(archives, assets.EchoArchiveOf(folder, i))
		}
	}
	return archives, nil
}

// run runs the suite with its flags.
func (s suite) run(ctx context.Context, flags []string) error {
	builder, err := newBuilder()
	if err != nil {
		return err
	}
	program, err := builder.ConformanceSuite(ctx)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, program, append([]string{"-test.timeout=60m", "-test.v"}, flags...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.folder, os.Stdout, os.Stderr
	return cmd.Run()
}
