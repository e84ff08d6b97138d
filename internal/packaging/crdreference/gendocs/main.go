// Command gendocs writes the field reference: go run ./internal/packaging/crdreference/gendocs DIRECTORY
//
// The definitions in config/crd flow in. One page for each kind and README.md flow out. Pages of removed kinds are deleted.
package main

import (
	"fmt"
	"os"

	"github.com/openservicemesh/osm-operator/config/crd"
	"github.com/openservicemesh/osm-operator/internal/packaging/crdreference"
	"github.com/openservicemesh/osm-operator/internal/packaging/folder"
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

func generate(path string) error {
	pages, err := crdreference.Pages(crd.Own, crd.SMI, crd.MCS)
	if err != nil {
		return err
	}
	return folder.Replace(path, pages)
}
