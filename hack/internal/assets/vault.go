package assets

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/openservicemesh/osm-operator/hack/internal/build"
)

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
	args := []string{"go", "build", "-trimpath", "-buildvcs=false", "-ldflags", linkerFlags}
	return build.Artifact{
		Name:    "vault",
		Inputs:  append([]string{version, vaultSDKVersion, fmt.Sprint(vaultEdits()), originalBody, "format 1"}, args...),
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
			args := append(args[:len(args):len(args)], "-o", program, ".")
			if err := build.Run(ctx, build.Command{Dir: source, Env: []string{"CGO_ENABLED=0"}, Args: args}); err != nil {
				return err
			}
			return writeImage(dir, "vault", "/vault", program, "vault.tar")
		},
	}, nil
}

// writeVaultSDK copies vaultSDK from the module cache and edits it.
func writeVaultSDK(ctx context.Context, hack, target string) error {
	download := build.Command{Dir: hack, Args: []string{"go", "mod", "download", "-json", vaultSDK + "@" + vaultSDKVersion}}
	answer, err := build.Output(ctx, download)
	if err != nil {
		return err
	}
	folder, err := downloadedFolder(answer)
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

// downloadedFolder reads the folder of a module from the answer of go mod download.
func downloadedFolder(answer string) (string, error) {
	var module struct{ Dir string }
	if err := json.Unmarshal([]byte(answer), &module); err != nil {
		return "", fmt.Errorf("the answer of go mod download is not readable: %w", err)
	}
	return module.Dir, nil
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
	a, err := vault(b.Hack)
	if err != nil {
		return "", err
	}
	return b.ensure(ctx, a, "building Vault (once; about four minutes on two cores)")
}
