package fetch

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// Apt is apt with the package lists of one architecture. The zero value is that of the machine.
type Apt struct {
	// options come before the arguments of apt-get.
	options []string
}

// AptOf returns apt for a Go architecture, which Debian names alike. The lists of another architecture than amd64 are
// downloaded into the cache folder, so the settings of the machine remain as they are.
func AptOf(ctx context.Context, cache, architecture string) (Apt, error) {
	if architecture == amd64 {
		return Apt{}, nil
	}
	folder := filepath.Join(cache, "apt", architecture)
	for _, part := range []string{"lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(folder, filepath.FromSlash(part)), 0o755); err != nil {
			return Apt{}, fmt.Errorf("cannot create the folder for package lists: %w", err)
		}
	}
	a := Apt{options: []string{
		"--option", "APT::Architecture=" + architecture, "--option", "APT::Architectures=" + architecture,
		"--option", "Dir::State::lists=" + filepath.Join(folder, "lists"), "--option", "Dir::Cache=" + filepath.Join(folder, "cache"),
		"--option", "APT::Sandbox::User=root",
	}}
	if _, err := run(ctx, "", nil, "apt-get", append(a.options, "--quiet=2", "update")...); err != nil {
		return Apt{}, fmt.Errorf("cannot download the package lists of %s: %w", architecture, err)
	}
	return a, nil
}
