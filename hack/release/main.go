package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/openservicemesh/osm-operator/hack/images/lock"
	"github.com/openservicemesh/osm-operator/hack/internal/entrypoint"
	"github.com/openservicemesh/osm-operator/hack/internal/recorded"
	"github.com/openservicemesh/osm-operator/hack/internal/repo"
	"github.com/openservicemesh/osm-operator/hack/release/signing"
)

func main() {
	var o options
	flag.StringVar(&o.key, "key", "", "file of the private key that signs; its password is in COSIGN_PASSWORD. Without it nothing is signed")
	flag.StringVar(&o.builder, "builder", "https://github.com/openservicemesh/osm-operator/tree/main/hack/release", "identifier of the builder in the provenance")
	flag.StringVar(&o.platforms, "cli-platforms", "", "comma-separated platforms of the command line, such as linux/amd64, as a test (default all)")
	flag.BoolVar(&o.dirty, "dirty", false, "build from a checkout with uncommitted changes, as a test; the version is not recorded")
	flag.Parse()
	entrypoint.Main("release", func(ctx context.Context) error { return run(ctx, o) })
}

// options are the flags.
type options struct {
	key, builder, platforms string
	dirty                   bool
}

// release is one run.
type release struct {
	repo.Source
	options
	// folder is the output folder.
	folder string
	// signer is nil without a key.
	signer *signing.Signer
	// images are the built images, by short name.
	images lock.Images
}

// run builds and records the release.
func run(ctx context.Context, o options) error {
	r, err := prepare(ctx, o)
	if err != nil {
		return err
	}
	steps := []func(context.Context) error{
		r.buildImages, r.buildCommandLine, r.writeManifests, r.writeBillsOfMaterials, r.writeNotes, r.attachSignatures, r.writeProvenance, r.writeSums,
	}
	if !o.dirty {
		steps = append(steps, r.record)
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// prepare reads the checkout and the key, and empties the output folder.
func prepare(ctx context.Context, o options) (*release, error) {
	root, err := repo.Root(".")
	if err != nil {
		return nil, err
	}
	source, err := repo.ReadSource(ctx, root)
	if err != nil {
		return nil, err
	}
	if source.Changed != "" && !o.dirty {
		return nil, fmt.Errorf("the checkout has uncommitted changes, so this version could not be reproduced:\n%s", source.Changed)
	}
	if err := checkRecord(source); err != nil {
		return nil, err
	}
	r := &release{Source: source, options: o, folder: filepath.Join(root, "bin", "release")}
	if o.key != "" {
		content, err := os.ReadFile(o.key)
		if err != nil {
			return nil, fmt.Errorf("cannot read the key: %w", err)
		}
		signer, err := signing.Load(content, os.Getenv("COSIGN_PASSWORD"))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o.key, err)
		}
		r.signer = &signer
	}
	if err := os.RemoveAll(r.folder); err != nil {
		return nil, err
	}
	return r, os.MkdirAll(r.folder, 0o755)
}

// checkRecord returns an error if the version was recorded from another commit. Images of this commit would have other
// digests than operators of later versions expect.
func checkRecord(source repo.Source) error {
	commit, isRecorded, err := recorded.Commit(source.Root, source.Version)
	if err != nil || !isRecorded || commit == source.Commit {
		return err
	}
	return fmt.Errorf("%s was recorded from commit %s, and this is %s: check that commit out to build its files, or raise the version in the file VERSION",
		source.Version, commit, source.Commit)
}

// write writes a file of the release.
func (r *release) write(name string, content []byte) error {
	path := filepath.Join(r.folder, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o644)
}

// runVisibly runs a program with its output on the terminal.
func runVisibly(ctx context.Context, folder, name string, arguments ...string) error {
	command := exec.CommandContext(ctx, name, arguments...)
	command.Dir, command.Stdout, command.Stderr = folder, os.Stdout, os.Stderr
	if err := command.Run(); err != nil {
		return fmt.Errorf("%s %s failed: %w", name, strings.Join(arguments, " "), err)
	}
	return nil
}
