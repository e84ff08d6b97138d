package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/openservicemesh/osm-operator/hack/internal/recorded"
)

// record records the manifests of the version with the digests of the images of the local cluster, and its definitions,
// unless that was done.
func (r *release) record(ctx context.Context) error {
	if _, isRecorded, err := recorded.Commit(r.Root, r.Version); err != nil || isRecorded {
		return err
	}
	if err := recordDefinitions(r.Root, r.Version); err != nil {
		return err
	}
	if err := runVisibly(ctx, filepath.Join(r.Root, "hack"), "go", "run", "./images"); err != nil {
		return err
	}
	return runVisibly(ctx, r.Root, "go", "run", "./internal/operand/freeze", "-version", r.Version, "-commit", r.Commit)
}

// recordDefinitions copies the definitions, because tests compare later versions with them.
func recordDefinitions(root, version string) error {
	definitions := filepath.Join(root, "config", "crd")
	folder := filepath.Join(definitions, "testdata", version)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for _, group := range []string{"bases", "smi"} {
		files, err := filepath.Glob(filepath.Join(definitions, group, "*.yaml"))
		if err != nil {
			return err
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(folder, filepath.Base(file)), content, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}
