package assets

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/openservicemesh/osm-operator/hack/internal/build"
)

// persesModule is the module of the server. The modules of its plugins have the schemas of panels and queries.
const persesModule = "github.com/perses/perses"

var persesPlugins = []string{"prometheus", "statchart", "timeserieschart"}

// Files of the folder that Perses returns.
const (
	PersesProgram = "perses"
	PersesPlugins = "plugins"
)

// emptyUI replaces a generated file that the module lacks. The server has no user interface then.
const emptyUI = "package ui\n\nimport \"embed\"\n\nvar embedFS embed.FS\n"

// Perses builds the server of Perses without its user interface, and returns the folder with the server and its plugins.
func (b Builder) Perses(ctx context.Context) (string, error) {
	module := filepath.Join(b.Hack, "servers", "perses")
	a := build.Artifact{
		Name: "perses", Inputs: append([]string{emptyUI, linkerFlags, "format 1"}, persesPlugins...), Sources: []string{module},
		Make: func(ctx context.Context, dir string) error {
			if err := buildPerses(ctx, module, dir); err != nil {
				return err
			}
			for _, plugin := range persesPlugins {
				if err := writePersesPlugin(ctx, module, plugin, filepath.Join(dir, PersesPlugins, plugin)); err != nil {
					return fmt.Errorf("the plugin %s of Perses: %w", plugin, err)
				}
			}
			return nil
		},
	}
	return b.ensure(ctx, a, "building Perses (once; about two minutes on two cores)")
}

// buildPerses builds a copy of the module with the generated file.
func buildPerses(ctx context.Context, module, dir string) error {
	work := filepath.Join(dir, "work")
	defer os.RemoveAll(work)
	copied := filepath.Join(work, "perses")
	if err := copyModule(ctx, module, persesModule, copied, work); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(copied, "ui", "embed.go"), []byte(emptyUI), 0o644); err != nil {
		return err
	}
	return build.Run(ctx, build.Command{
		Dir: module, Env: []string{"CGO_ENABLED=0", "GOFLAGS=-mod=mod"},
		Args: []string{
			"go", "build", "-trimpath", "-buildvcs=false", "-ldflags", linkerFlags, "-modfile", filepath.Join(work, "go.mod"),
			"-o", filepath.Join(dir, PersesProgram), persesModule + "/cmd/perses",
		},
	})
}

// copyModule copies a module that another one requires, and writes a go.mod into the folder work that uses the copy instead.
func copyModule(ctx context.Context, module, required, copied, work string) error {
	source, err := moduleFolder(ctx, module, required)
	if err != nil {
		return err
	}
	if err := os.CopyFS(copied, os.DirFS(source)); err != nil {
		return err
	}
	for _, file := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join(module, file))
		if err != nil {
			return err
		}
		if file == "go.mod" {
			content = fmt.Appendf(content, "\nreplace %s => %s\n", required, copied)
		}
		if err := os.WriteFile(filepath.Join(work, file), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// moduleFolder returns the folder of a module in the cache of the go command.
func moduleFolder(ctx context.Context, module, required string) (string, error) {
	folder, err := build.Output(ctx, build.Command{Dir: module, Args: []string{"go", "mod", "download", "-json", required}})
	if err != nil {
		return "", err
	}
	var downloaded struct{ Dir string }
	err = json.Unmarshal([]byte(folder), &downloaded)
	return downloaded.Dir, err
}

// dependencies are those of a module of CUE. The server cannot download them: they are copied.
var dependencies = regexp.MustCompile(`(?s)deps: \{.*?\n\}\n`)

// writePersesPlugin writes the schemas of a plugin, as the server loads them, without the part that runs in browsers.
func writePersesPlugin(ctx context.Context, module, plugin, dir string) error {
	source, err := moduleFolder(ctx, module, "github.com/perses/plugins/"+plugin)
	if err != nil {
		return err
	}
	server, err := moduleFolder(ctx, module, persesModule)
	if err != nil {
		return err
	}
	for from, to := range map[string]string{
		filepath.Join(source, "schemas"): "schemas", filepath.Join(source, "cue.mod"): "cue.mod",
		filepath.Join(server, "cue"): "cue.mod/pkg/" + persesModule + "/cue",
	} {
		if err := os.CopyFS(filepath.Join(dir, filepath.FromSlash(to)), os.DirFS(from)); err != nil {
			return err
		}
	}
	file := filepath.Join(dir, "cue.mod", "module.cue")
	definition, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	description, err := os.ReadFile(filepath.Join(source, "package.json"))
	if err != nil {
		return err
	}
	var described struct{ Name, Version string }
	if err := json.Unmarshal(description, &described); err != nil {
		return err
	}
	manifest := fmt.Sprintf(`{"id":%q,"name":%[1]q,"metaData":{"name":%[1]q,"buildInfo":{"buildName":%[1]q,"buildVersion":%q}}}`, described.Name, strings.TrimSpace(described.Version))
	for path, content := range map[string][]byte{
		file: dependencies.ReplaceAll(definition, nil), filepath.Join(dir, "package.json"): description,
		filepath.Join(dir, "mf-manifest.json"): []byte(manifest),
	} {
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
