package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
)

// settings are what the file that OSM_CONFIG names says; without it, ~/.osm/config.yaml.
type settings struct {
	Install installSettings `yaml:"install"`
}

type installSettings struct {
	// Kind is self-hosted, or managed where somebody else installs and removes meshes.
	Kind         string `yaml:"kind"`
	Distribution string `yaml:"distribution"`
	Namespace    string `yaml:"namespace"`
}

const (
	selfHosted = "self-hosted"
	managed    = "managed"
)

// loadSettings reads the file of settings; without one there are defaults.
func loadSettings(env func(string) string) (settings, error) {
	var s settings
	s.Install.Kind = selfHosted
	path := env("OSM_CONFIG")
	home := cmp.Or(env("HOME"), env("USERPROFILE")) // the latter on Windows
	switch {
	case path == "" && home == "":
		return s, nil
	case path == "":
		path = filepath.Join(home, ".osm", "config.yaml")
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("the file of settings cannot be read: %w: correct OSM_CONFIG", err)
	}
	if err := yaml.Unmarshal(text, &s); err != nil {
		return s, fmt.Errorf("the file of settings %s cannot be understood: %w", path, err)
	}
	if s.Install.Kind != selfHosted && s.Install.Kind != managed {
		return s, fmt.Errorf("the file of settings %s has install.kind %q: write %s or %s", path, s.Install.Kind, selfHosted, managed)
	}
	return s, nil
}

func (a *app) envCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "env",
		Short: "Print the settings of this program",
		Long: `Prints what the file of settings says. The file is named by the environment variable OSM_CONFIG; without it, it is
~/.osm/config.yaml.`,
		Args: exactly(0, ""),
		RunE: a.run(func(context.Context, []string) error {
			s := a.settings
			s.Install.Namespace = a.kube.OSMNamespace
			text, err := yaml.Marshal(s)
			if err != nil {
				return err
			}
			a.line("---\n%s", text)
			return nil
		}),
	}
}
