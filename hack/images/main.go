package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/hack/images/fetch"
	"github.com/openservicemesh/osm-operator/hack/images/layer"
	"github.com/openservicemesh/osm-operator/hack/images/lock"
	"github.com/openservicemesh/osm-operator/hack/internal/entrypoint"
	"github.com/openservicemesh/osm-operator/hack/internal/repo"
)

func main() {
	entrypoint.Main("images", func(ctx context.Context) error { return run(ctx, os.Args[1:], os.Stdout, os.Stderr) })
}

// run executes the command with the given arguments and writers.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("images", flag.ContinueOnError)
	flags.SetOutput(stderr)
	out := flags.String("o", "", "output folder (default bin/images in the repository)")
	version := flags.String("version", "", "tag of the images and version of their programs (default the file VERSION)")
	tags := flags.String("tags", "", "build tags of the programs, for faulty versions that tests upgrade to; use a separate -version and output folder")
	platforms := flags.String("platforms", "linux/amd64", "comma-separated platforms; several give image indexes")
	without := flags.String("without", "", "comma-separated images that are not built, if none is named")
	if err := flags.Parse(args); err != nil {
		return err
	}
	targets, err := parsePlatforms(*platforms)
	if err != nil {
		return err
	}
	root, err := repo.Root(".")
	if err != nil {
		return err
	}
	cache, err := cacheFolder()
	if err != nil {
		return err
	}
	if flags.Arg(0) == "list" {
		_, err := fmt.Fprintln(stdout, strings.Join(namesOf(catalogue()), "\n"))
		return err
	}
	if find, ok := programs[flags.Arg(0)]; ok {
		path, err := find(ctx, cache)
		if err == nil {
			_, err = fmt.Fprintln(stdout, path)
		}
		return err
	}
	if *version, err = versionOrDefault(root, *version); err != nil {
		return err
	}
	if flags.Arg(0) == "programs" {
		return buildPrograms(ctx, fetch.Build{Root: root, Version: *version, Tags: *tags, Out: cmp.Or(*out, filepath.Join(root, "bin"))}, flags.Args()[1:])
	}
	if *out == "" {
		*out = filepath.Join(root, "bin", "images")
	}
	desired, err := selectImages(everyImage(), flags.Args(), func(img image) bool {
		if img.base.complete || slices.Contains(strings.Split(*without, ","), img.name) {
			return false
		}
		if img.command == "" || fetch.HasCommand(root, img.command) {
			return true
		}
		fmt.Fprintf(stderr, "images: %s is skipped: there is no main package at %s\n", img.name, img.command)
		return false
	})
	if err != nil {
		return err
	}
	b := &builder{
		root: root, cache: cache, out: *out, version: *version, tags: *tags, layers: layer.NewStore(filepath.Join(cache, "layers")), targets: targets,
	}
	return withLock(cache, func() error { return buildAll(ctx, b, desired, stdout) })
}

// buildPrograms compiles the named programs, or all, for this machine. They have the flags of the programs in images, so that they share the
// go build cache.
func buildPrograms(ctx context.Context, b fetch.Build, names []string) error {
	b.System, b.Architecture = runtime.GOOS, runtime.GOARCH
	if len(names) == 0 {
		entries, err := os.ReadDir(filepath.Join(b.Root, "cmd"))
		if err != nil {
			return err
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
	}
	var packages []string
	for _, name := range names {
		packages = append(packages, "./cmd/"+name)
	}
	_, err := b.Commands(ctx, packages)
	return err
}

// buildAll builds the images, updates the list of the output folder and prints the built images.
func buildAll(ctx context.Context, b *builder, desired []image, stdout io.Writer) error {
	list, err := lock.Read(b.out)
	if err != nil {
		return err
	}
	for _, t := range b.targets {
		if err := t.prepare(ctx, b, desired); err != nil {
			return fmt.Errorf("%s: %w", t.architecture, err)
		}
	}
	if err := os.MkdirAll(b.out, 0o755); err != nil {
		return fmt.Errorf("cannot create the output folder: %w", err)
	}
	for _, img := range desired {
		if list[img.name], err = b.build(ctx, img, list[img.name]); err != nil {
			return fmt.Errorf("image %s: %w", img.name, err)
		}
		if err := lock.Write(b.out, list); err != nil {
			return err
		}
	}
	return printTable(stdout, desired, list)
}

// programs are the commands that fetch a program and print its path.
var programs = map[string]func(ctx context.Context, cache string) (string, error){
	"envoy-path":         envoyPath(func(p fetch.Pins) fetch.Pin { return p.Current }),
	"earlier-envoy-path": envoyPath(func(p fetch.Pins) fetch.Pin { return p.Earlier }),
	"oldest-envoy-path":  envoyPath(func(p fetch.Pins) fetch.Pin { return p.Oldest }),
	"prometheus-path":    fetch.Prometheus,
	"chromium-path":      fetch.Chromium,
	"redis-path":         fetch.Redis,
}

// envoyPath fetches one of the pinned releases of Envoy.
func envoyPath(choose func(fetch.Pins) fetch.Pin) func(ctx context.Context, cache string) (string, error) {
	return func(ctx context.Context, cache string) (string, error) {
		pins, err := fetch.EnvoyPins()
		if err != nil {
			return "", err
		}
		return choose(pins).Local(ctx, cache)
	}
}
