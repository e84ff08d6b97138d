package assets

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/openservicemesh/osm-operator/hack/internal/build"
)

const certManagerModule = "github.com/cert-manager/cert-manager"

// certManager returns the artifact with the image of cert-manager and the definitions of its kinds.
func certManager(hack string) (build.Artifact, error) {
	module := filepath.Join(hack, "certmanager")
	version, err := requiredVersion(filepath.Join(module, "go.mod"), certManagerModule)
	if err != nil {
		return build.Artifact{}, err
	}
	args := []string{"go", "build", "-trimpath", "-buildvcs=false", "-ldflags", linkerFlags}
	return build.Artifact{
		Name:    "cert-manager",
		Inputs:  append([]string{version, "format 1"}, args...),
		Sources: []string{module},
		Make: func(ctx context.Context, dir string) error {
			program := filepath.Join(dir, "cert-manager")
			defer os.RemoveAll(program)
			args := append(args[:len(args):len(args)], "-o", program, ".")
			if err := build.Run(ctx, build.Command{Dir: module, Env: []string{"CGO_ENABLED=0"}, Args: args}); err != nil {
				return err
			}
			if err := writeImage(dir, "cert-manager", "/cert-manager", program, "cert-manager.tar"); err != nil {
				return err
			}
			return copyDefinitions(ctx, module, certManagerModule, "deploy/crds", filepath.Join(dir, Definitions))
		},
	}, nil
}

// copyDefinitions copies the CRDs from a folder of a module that the module in a folder requires.
func copyDefinitions(ctx context.Context, module, required, source, target string) error {
	list := build.Command{Dir: module, Args: []string{"go", "list", "-m", "-f", "{{.Dir}}", required}}
	folder, err := build.Output(ctx, list)
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(folder), filepath.FromSlash(source), "*.yaml"))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(target, 0o755); err != nil {
		return err
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(target, filepath.Base(file)), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// CertManager builds cert-manager and returns the folder with its image and definitions.
func (b Builder) CertManager(ctx context.Context) (string, error) {
	a, err := certManager(b.Hack)
	if err != nil {
		return "", err
	}
	return b.ensure(ctx, a, "building cert-manager (once; about two minutes on two cores)")
}
