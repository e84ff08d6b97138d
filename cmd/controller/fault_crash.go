//go:build faulty_crash

package main

import (
	"fmt"
	"os"
)

// A control plane with this build tag always exits at its start. Tests of upgrades use it as a faulty version.
func init() {
	fmt.Fprintln(os.Stderr, "Error: this control plane was built to crash")
	os.Exit(3)
}
