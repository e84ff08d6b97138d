// Command gendocs writes docs/threats.md. It runs in the root of the repository.
package main

import (
	"fmt"
	"os"

	"github.com/openservicemesh/osm-operator/internal/testing/threats"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gendocs FILE")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "gendocs:", err)
		os.Exit(1)
	}
}

func write(file string) error {
	attacks, err := threats.Attacks()
	if err != nil {
		return err
	}
	tests, err := threats.FindTests(".")
	if err != nil {
		return err
	}
	page, err := threats.Page(attacks, tests)
	if err != nil {
		return err
	}
	return os.WriteFile(file, page, 0o644)
}
