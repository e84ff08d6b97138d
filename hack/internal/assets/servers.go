package assets

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/hack/internal/build"
	"github.com/openservicemesh/osm-operator/hack/internal/files"
)

// server is a third-party server that the operator runs or configures. A go.mod below servers pins it and lists its programs as tools.
type server struct {
	// name is the folder below servers.
	name string
	// programs maps the names of images to the programs in them.
	programs map[string]string
	// tags are build tags that leave out what no test uses.
	tags string
	// definitions are where its CustomResourceDefinitions are: a module, and a folder or a pattern of files in it.
	definitions [][2]string
	// duration describes a build without a cache on two cores.
	duration string
}

// servers lists the servers in the order of their names.
func servers() []server {
	const operator = "github.com/prometheus-operator/prometheus-operator"
	return []server{
		{
			name:        "approver-policy",
			programs:    map[string]string{"approver-policy": "cmd"},
			definitions: [][2]string{{"github.com/cert-manager/approver-policy", "deploy/crds"}},
			duration:    "three minutes",
		},
		{
			name:        "argo-rollouts",
			programs:    map[string]string{"argo-rollouts": "rollouts-controller"},
			definitions: [][2]string{{"github.com/argoproj/argo-rollouts", "manifests/crds/*-crd.yaml"}},
			duration:    "six minutes",
		},
		{
			name:     "flux",
			programs: map[string]string{"flux-source": "source-controller", "flux-kustomize": "kustomize-controller"},
			definitions: [][2]string{
				{"github.com/fluxcd/source-controller", "config/crd/bases"}, {"github.com/fluxcd/kustomize-controller", "config/crd/bases"},
			},
			duration: "five minutes",
		},
		{name: "jaeger", programs: map[string]string{"jaeger": "jaeger"}, duration: "four minutes"},
		{
			name:        "kruise",
			programs:    map[string]string{"kruise": "kruise"},
			definitions: [][2]string{{"github.com/openkruise/kruise", "config/crd/bases"}},
			duration:    "six minutes",
		},
		{name: "metrics-server", programs: map[string]string{"metrics-server": "metrics-server"}, duration: "two minutes"},
		{
			name:        "olm",
			programs:    map[string]string{"olm": "olm", "olm-catalog": "catalog"},
			definitions: [][2]string{{"github.com/operator-framework/operator-lifecycle-manager", "deploy/chart/crds"}},
			duration:    "two minutes",
		},
		// Service discovery in other places than Kubernetes needs the clients of a dozen clouds.
		{name: "prometheus", programs: map[string]string{"prometheus": "prometheus"}, tags: "remove_all_sd enable_kubernetes_sd", duration: "four minutes"},
		{
			name:        "prometheus-operator",
			programs:    map[string]string{"prometheus-operator": "operator", "prometheus-config-reloader": "prometheus-config-reloader"},
			definitions: [][2]string{{operator, "example/prometheus-operator-crd"}},
			duration:    "two minutes",
		},
	}
}

// Definitions is the folder of the definitions of the kinds of a server or of cert-manager.
const Definitions = "definitions"

// artifact returns the artifact with the images of a server.
func (s server) artifact(hack string) build.Artifact {
	module := filepath.Join(hack, "servers", s.name)
	command := slices.Clone(goBuild)
	if s.tags != "" {
		command = append(command, "-tags", s.tags)
	}
	return build.Artifact{
		Name:    s.name,
		Inputs:  append([]string{fmt.Sprint(s.programs, s.definitions), "format 1"}, command...),
		Sources: []string{module},
		Make: func(ctx context.Context, dir string) error {
			programs := filepath.Join(dir, "programs") + string(filepath.Separator)
			defer os.RemoveAll(programs)
			if err := runGoBuild(ctx, module, command, programs, "tool"); err != nil {
				return err
			}
			for image, program := range s.programs {
				if err := writeImage(dir, image, "/bin/"+image, programs+program, image+".tar"); err != nil {
					return err
				}
			}
			for _, d := range s.definitions {
				if err := copyDefinitions(ctx, module, d[0], d[1], filepath.Join(dir, Definitions)); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// Server builds a server and returns the folder with its images, one *.tar for each.
func (b Builder) Server(ctx context.Context, name string) (string, error) {
	var known []string
	for _, s := range servers() {
		if s.name == name {
			return b.ensure(ctx, s.artifact(b.Hack), fmt.Sprintf("building %s (once; about %s on two cores)", name, s.duration))
		}
		known = append(known, s.name)
	}
	return "", fmt.Errorf("there is no server %q: the servers are %s", name, strings.Join(known, ", "))
}

const certManagerModule = "github.com/cert-manager/cert-manager"

// certManager returns the artifact with the image of cert-manager and the definitions of its kinds.
func certManager(hack string) (build.Artifact, error) {
	module := filepath.Join(hack, "certmanager")
	version, err := requiredVersion(filepath.Join(module, "go.mod"), certManagerModule)
	if err != nil {
		return build.Artifact{}, err
	}
	return build.Artifact{
		Name:    "cert-manager",
		Inputs:  append([]string{version, "format 1"}, goBuild...),
		Sources: []string{module},
		Make: func(ctx context.Context, dir string) error {
			program := filepath.Join(dir, "cert-manager")
			defer os.RemoveAll(program)
			if err := runGoBuild(ctx, module, goBuild, program, "."); err != nil {
				return err
			}
			if err := writeImage(dir, "cert-manager", "/cert-manager", program, "cert-manager.tar"); err != nil {
				return err
			}
			return copyDefinitions(ctx, module, certManagerModule, "deploy/crds", filepath.Join(dir, Definitions))
		},
	}, nil
}

// copyDefinitions copies the CRDs from a folder of a module that the module in a folder requires. source is the folder, or a pattern of files in it.
func copyDefinitions(ctx context.Context, module, required, source, target string) error {
	folder, err := moduleFolder(ctx, module, required)
	if err != nil {
		return err
	}
	if filepath.Ext(source) == "" {
		source += "/*.yaml"
	}
	return files.Copy(filepath.Join(folder, filepath.FromSlash(source)), target)
}

// CertManager builds cert-manager and returns the folder with its image and definitions.
func (b Builder) CertManager(ctx context.Context) (string, error) {
	return b.ensurePinned(ctx, certManager, "building cert-manager (once; about two minutes on two cores)")
}

const (
	// vaultSDK is the module that Vault's own repository replaces by an unpublished state. The published version needs vaultEdits.
	vaultSDK        = "github.com/hashicorp/vault/sdk"
	vaultSDKVersion = "v0.10.2"
)

// vaultEdit replaces a text in a file of vaultSDK. The text must occur.
type vaultEdit struct{ file, old, new string }

// vaultEdits undo the changes of vaultSDK that this version of Vault does not know yet.
func vaultEdits() []vaultEdit {
	return []vaultEdit{
		{"logical/events.go", "\tSendEvent(ctx context.Context, eventType EventType", "\tSend(ctx context.Context, eventType EventType"},
		{"logical/events.go", "sender.SendEvent(", "sender.Send("},
		{"framework/backend.go", "b.events.SendEvent(", "b.events.Send("},
		{"framework/backend.go", "\t\tif p.ExistenceCheck == nil {\n\t\t\tif _, ok := p.Operations", "\t\tif false {\n\t\t\tif _, ok := p.Operations"},
		{"plugin/grpc_events.go", "func (s *GRPCEventsClient) SendEvent(", "func (s *GRPCEventsClient) Send("},
		{"plugin/grpc_events.go", "s.impl.SendEvent(", "s.impl.Send("},
	}
}

// originalBody is a file that this version of Vault expects in vaultSDK.
const originalBody = `package logical

import (
	"context"
	"io"
)

type originalBodyKey struct{}

// ContextOriginalBodyValue returns the body of a request before it was limited.
func ContextOriginalBodyValue(ctx context.Context) (io.ReadCloser, bool) {
	body, ok := ctx.Value(originalBodyKey{}).(io.ReadCloser)
	return body, ok
}

// CreateContextOriginalBody stores the body of a request before it is limited.
func CreateContextOriginalBody(parent context.Context, body io.ReadCloser) context.Context {
	return context.WithValue(parent, originalBodyKey{}, body)
}
`

// vault returns the artifact with the image of Vault.
func vault(hack string) (build.Artifact, error) {
	module := filepath.Join(hack, "vault")
	version, err := requiredVersion(filepath.Join(module, "go.mod"), "github.com/hashicorp/vault")
	if err != nil {
		return build.Artifact{}, err
	}
	return build.Artifact{
		Name:    "vault",
		Inputs:  append([]string{version, vaultSDKVersion, fmt.Sprint(vaultEdits()), originalBody, "format 1"}, goBuild...),
		Sources: []string{module},
		Make: func(ctx context.Context, dir string) error {
			source, program := filepath.Join(dir, "source"), filepath.Join(dir, "vault")
			defer os.RemoveAll(source)
			defer os.RemoveAll(program)
			if err := os.CopyFS(source, os.DirFS(module)); err != nil {
				return err
			}
			if err := writeVaultSDK(ctx, hack, filepath.Join(source, "sdk")); err != nil {
				return err
			}
			if err := runGoBuild(ctx, source, goBuild, program, "."); err != nil {
				return err
			}
			return writeImage(dir, "vault", "/vault", program, "vault.tar")
		},
	}, nil
}

// writeVaultSDK copies vaultSDK from the module cache and edits it.
func writeVaultSDK(ctx context.Context, hack, target string) error {
	folder, err := moduleFolder(ctx, hack, vaultSDK+"@"+vaultSDKVersion)
	if err != nil {
		return err
	}
	if err := os.CopyFS(target, os.DirFS(folder)); err != nil {
		return err
	}
	for _, edit := range vaultEdits() {
		if err := edit.apply(target); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(target, "logical", "original_body.go"), []byte(originalBody), 0o600)
}

// apply edits one file below a folder. Files of the module cache are read-only.
func (e vaultEdit) apply(folder string) error {
	file := filepath.Join(folder, filepath.FromSlash(e.file))
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if !strings.Contains(string(content), e.old) {
		return fmt.Errorf("%s of %s %s does not contain %q: adapt the edits to this version", e.file, vaultSDK, vaultSDKVersion, e.old)
	}
	if err := os.Chmod(file, 0o600); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(strings.Replace(string(content), e.old, e.new, 1)), 0o600)
}

// Vault builds Vault and returns the folder with its image.
func (b Builder) Vault(ctx context.Context) (string, error) {
	return b.ensurePinned(ctx, vault, "building Vault (once; about four minutes on two cores)")
}
