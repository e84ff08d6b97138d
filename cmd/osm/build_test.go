package main

import (
	"os"
	"os/exec"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/testing/full"
)

// TestBuildsForOtherSystems compiles the command line for the other operating systems of a release.
func TestBuildsForOtherSystems(t *testing.T) {
	full.Require(t)
	for _, system := range []string{"darwin", "windows"} {
		t.Run(system, func(t *testing.T) {
			build := exec.CommandContext(t.Context(), "go", "build", "-o", os.DevNull, ".")
			build.Env = append(os.Environ(), "GOOS="+system, "GOARCH=arm64", "CGO_ENABLED=0")
			if out, err := build.CombinedOutput(); err != nil {
				t.Errorf("osm does not compile for %s: %v\n%s", system, err, out)
			}
		})
	}
}
