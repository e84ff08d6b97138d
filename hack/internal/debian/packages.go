package debian

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/openservicemesh/osm-operator/hack/internal/build"
	"github.com/openservicemesh/osm-operator/hack/internal/paths"
)

// Required returns the packages: nft and perhaps iptables for kube-proxy in a mode, mount for the kubelet, and the build dependencies of runc with
// seccomp. nft also finds what kube-proxy has left.
func Required(proxyMode string) []string {
	packages := []string{"nftables", "mount", "gcc", "libc6-dev", "pkg-config", "libseccomp-dev"}
	if proxyMode == paths.Iptables {
		packages = append(packages, "iptables")
	}
	return packages
}

// Missing returns the packages that are not installed.
func Missing(ctx context.Context, packages []string) ([]string, error) {
	args := append([]string{"-W", "-f", "${Package} ${db:Status-Status}\n"}, packages...)
	// dpkg-query lists the known packages and fails if one is unknown.
	out, err := exec.CommandContext(ctx, "dpkg-query", args...).Output()
	if errors.Is(err, exec.ErrNotFound) {
		return nil, fmt.Errorf("this machine has no dpkg-query: the local cluster can install packages only on Debian and its derivatives")
	}
	return missing(packages, string(out)), nil
}

func missing(packages []string, status string) []string {
	installed := map[string]bool{}
	for line := range strings.Lines(status) {
		if name, state, _ := strings.Cut(strings.TrimSpace(line), " "); state == "installed" {
			installed[name] = true
		}
	}
	var lacking []string
	for _, p := range packages {
		if !installed[p] {
			lacking = append(lacking, p)
		}
	}
	return lacking
}

// Install installs the packages without recommended ones and without prompts.
func Install(ctx context.Context, packages []string) error {
	env := []string{"DEBIAN_FRONTEND=noninteractive"}
	if err := build.Run(ctx, build.Command{Env: env, Args: []string{"apt-get", "update", "-qq"}}); err != nil {
		return err
	}
	args := append([]string{"apt-get", "install", "-qq", "-y", "--no-install-recommends"}, packages...)
	return build.Run(ctx, build.Command{Env: env, Args: args})
}
