// Command gendocs writes the field reference: go run ./internal/packaging/crdreference/gendocs DIRECTORY
//
// The definitions in config/crd flow in. One page for each kind and README.md flow out. Pages of removed kinds are deleted.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/openservicemesh/osm-operator/config/crd"
	"github.com/openservicemesh/osm-operator/internal/packaging/crdreference"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run ./internal/packaging/crdreference/gendocs DIRECTORY")
		os.Exit(2)
	}
	if err := generate(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "gendocs:", err)
		os.Exit(1)
	}
}

func generate(folder string) error {
	pages, err := crdreference.Pages(crd.Own, crd.SMI)
	if err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(folder, "*.md"))
	if err != nil {
		return err
	}
	for _, page := range old {
		if err := os.Remove(page); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for name, content := range pages {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o644); err != nil { //nolint:gosec // a page of the documentation
			return err
		}
	}
	return nil
}
