//go:build faulty_crash

package main

import (
	"fmt"
	"os"
)

// A control plane with this tag never runs: tests of upgrades see what becomes of a mesh that moves to it.
func init() {
	fmt.Fprintln(os.Stderr, "Error: this control plane was built to crash")
	os.Exit(3)
}
