package fetch

import (
	"context"
	_ "embed" // for envoy.json
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Go's names of the architectures that have an Envoy. The local cluster has amd64.
const (
	amd64 = "amd64"
	arm64 = "arm64"
)

// Architectures are Go's names of the architectures that have an Envoy.
func Architectures() []string { return []string{amd64, arm64} }

// PinsFile is the file of the pinned releases of Envoy, relative to the repository.
const PinsFile = "hack/images/fetch/envoy.json"

//go:embed envoy.json
var pins []byte

// Pins are the pinned releases of Envoy.
type Pins struct {
	// Current is the release that sidecars run.
	Current Pin `json:"current"`
	// Earlier is a release of the earlier minor version. Configurations are checked with both.
	Earlier Pin `json:"earlier"`
	// Oldest is the first release that is published as a wheel. Sidecars of Open Service Mesh run it, whose own release, 1.22, is not.
	Oldest Pin `json:"oldest"`
}

// Pin is a pinned release.
type Pin struct {
	// Version has the form MAJOR.MINOR.PATCH.
	Version string `json:"version"`
	// Hashes are those of each architecture, by Go's name of it.
	Hashes map[string]Hashes `json:"hashes"`
}

// Hashes are the SHA-256 of a Python wheel, and of the program in it.
type Hashes struct {
	Wheel   string `json:"wheel"`
	Program string `json:"program"`
}

// EnvoyPins returns the pinned releases.
func EnvoyPins() (Pins, error) {
	var p Pins
	if err := json.Unmarshal(pins, &p); err != nil {
		return p, fmt.Errorf("%s is not valid: %w", PinsFile, err)
	}
	return p, nil
}

// Write replaces the pinned releases of a checkout.
func (p Pins) Write(root string) error {
	content, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(root, filepath.FromSlash(PinsFile)), append(content, '\n'), 0o644)
}

// Release returns the release for an architecture.
func (p Pin) Release(architecture string) (EnvoyRelease, error) {
	hashes, ok := p.Hashes[architecture]
	if !ok {
		return EnvoyRelease{}, fmt.Errorf("no Envoy %s is pinned for the architecture %q", p.Version, architecture)
	}
	return EnvoyRelease{p.Version, architecture, hashes}, nil
}

// Local returns the path of the program for the local cluster, below the cache folder, and downloads it if it is missing.
func (p Pin) Local(ctx context.Context, cache string) (string, error) {
	release, err := p.Release(amd64)
	if err != nil {
		return "", err
	}
	return Envoy(ctx, cache, release)
}
