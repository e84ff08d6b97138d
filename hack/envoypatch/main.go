package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/semver"

	"github.com/openservicemesh/osm-operator/hack/images/fetch"
	"github.com/openservicemesh/osm-operator/hack/internal/build"
	"github.com/openservicemesh/osm-operator/hack/internal/entrypoint"
	"github.com/openservicemesh/osm-operator/hack/internal/paths"
	"github.com/openservicemesh/osm-operator/hack/internal/repo"
)

func main() {
	entrypoint.Main("envoypatch", func(ctx context.Context) error { return run(ctx, os.Args[1:], os.Stdout) })
}

// run pins, verifies and builds the release that the only argument names.
func run(ctx context.Context, arguments []string, out io.Writer) error {
	if len(arguments) != 1 {
		return errors.New("name one patch release of Envoy, for example 1.40.1")
	}
	root, err := repo.Root(".")
	if err != nil {
		return err
	}
	cache, err := paths.FindCache(os.Getenv)
	if err != nil {
		return err
	}
	before, err := fetch.EnvoyPins()
	if err != nil {
		return err
	}
	if err := isPatch(before.Current.Version, arguments[0]); err != nil {
		return err
	}
	p := patch{root: root, cache: cache, out: out, before: before, version: arguments[0]}
	if err := p.pin(ctx); err != nil {
		return err
	}
	if err := p.verify(ctx); err != nil {
		return errors.Join(fmt.Errorf("envoy %s is not pinned: %w", p.version, err), before.Write(root))
	}
	return p.build(ctx)
}

// isPatch returns an error unless the next version is a later one of the same minor. Another minor needs more than this command: its settings, its
// place among the supported versions, and a pinned release of the minor before.
func isPatch(present, next string) error {
	a, b := "v"+present, "v"+next
	switch {
	case !semver.IsValid(b) || semver.Prerelease(b) != "":
		return fmt.Errorf("%q is not a release of Envoy, such as %s", next, present)
	case semver.MajorMinor(a) != semver.MajorMinor(b):
		return fmt.Errorf("envoy %s is not a patch release of %s, which sidecars run: only the last number may differ", next, present)
	case semver.Compare(b, a) <= 0:
		return fmt.Errorf("envoy %s is not later than %s, which sidecars run", next, present)
	}
	return nil
}

// patch is the way to a patch release.
type patch struct {
	root, cache string
	out         io.Writer
	before      fetch.Pins
	version     string
	// present and next are the programs of both releases for this machine.
	present, next string
}

// pin downloads the release for all architectures, writes their hashes, and fetches the programs of both releases for this machine.
func (p *patch) pin(ctx context.Context) error {
	after := p.before
	after.Current = fetch.Pin{Version: p.version, Hashes: map[string]fetch.Hashes{}}
	for _, architecture := range fetch.Architectures() {
		hashes, err := fetch.Measure(ctx, filepath.Join(p.cache, "envoy"), p.version, architecture)
		if err != nil {
			return err
		}
		after.Current.Hashes[architecture] = hashes
		fmt.Fprintf(p.out, "%s: sha256 of the program %s\n", architecture, hashes.Program)
	}
	for program, pin := range map[*string]fetch.Pin{&p.present: p.before.Current, &p.next: after.Current} {
		var err error
		if *program, err = pin.Local(ctx, p.cache); err != nil {
			return err
		}
	}
	return after.Write(p.root)
}

// verify checks the program, the configurations of sidecars and gateways, and that the releases take over from each other.
func (p *patch) verify(ctx context.Context) error {
	says, err := build.Output(ctx, build.Command{Dir: p.root, Args: []string{p.next, "--version"}})
	if err != nil {
		return err
	}
	if !strings.Contains(says, "/"+p.version+"/") {
		return fmt.Errorf("the program says %q", strings.TrimSpace(says))
	}
	for _, step := range []struct {
		what, folder string
		env, command []string
	}{
		{"the golden configurations are valid", "hack", nil, []string{"go", "run", "./suites", "golden"}},
		{
			"it takes over from the present release in a running pod, and back", ".",
			[]string{"ENVOY_BIN=" + p.next, "EARLIER_ENVOY_BIN=" + p.present},
			[]string{"go", "test", "-count=1", "./internal/injector/launch"},
		},
	} {
		if err := build.Run(ctx, build.Command{Dir: filepath.Join(p.root, step.folder), Env: step.env, Args: step.command}); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
		fmt.Fprintln(p.out, "verified:", step.what)
	}
	return nil
}

// build builds the image of the sidecar and says how it is rolled out.
func (p *patch) build(ctx context.Context) error {
	if err := build.Run(ctx, build.Command{Dir: filepath.Join(p.root, "hack"), Args: []string{"go", "run", "./images", "envoy"}}); err != nil {
		return err
	}
	fmt.Fprintf(p.out, `Envoy %s is pinned in %s, and bin/images/envoy.tar is its image.

To roll it out, push the image, and tell the Mesh its digest:

  crane push bin/images/envoy.tar REGISTRY/envoy:%[1]s
  kubectl patch mesh osm --type merge -p '{"spec":{"sidecar":{"image":"REGISTRY/envoy@sha256:DIGEST"}}}'
  osm wait mesh

With spec.upgrade.dataPlane.restart: InPlace no pod is restarted for it.
`, p.version, fetch.PinsFile)
	return nil
}
