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

// settings is the content of the configuration file: $OSM_CONFIG, by default ~/.osm/config.yaml.
type settings struct {
	Install installSettings `yaml:"install"`
}

type installSettings struct {
	// Kind is self-hosted or managed. A managed mesh is installed and removed by the platform.
	Kind         string `yaml:"kind"`
	Distribution string `yaml:"distribution"`
	Namespace    string `yaml:"namespace"`
}

const (
	selfHosted = "self-hosted"
	managed    = "managed"
)

// loadSettings reads the configuration file. A missing file means defaults.
func loadSettings(env func(string) string) (settings, error) {
	var s settings
	s.Install.Kind = selfHosted
	path := env("OSM_CONFIG")
	homeFolder := cmp.Or(env("HOME"), env("USERPROFILE")) // the latter on Windows
	switch {
	case path == "" && homeFolder == "":
		return s, nil
	case path == "":
		path = filepath.Join(homeFolder, ".osm", "config.yaml")
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("read configuration file: %w: check OSM_CONFIG", err)
	}
	if err := yaml.Unmarshal(text, &s); err != nil {
		return s, fmt.Errorf("configuration file %s is invalid: %w: write YAML such as `install: {kind: self-hosted}`, or check OSM_CONFIG", path, err)
	}
	if s.Install.Kind != selfHosted && s.Install.Kind != managed {
		return s, fmt.Errorf("configuration file %s: invalid install.kind %q: must be %s or %s", path, s.Install.Kind, selfHosted, managed)
	}
	return s, nil
}

func (a *app) envCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "env",
		Short: "Print the configuration of osm",
		Long: `Print the configuration of osm. It is read from the file in the environment variable OSM_CONFIG, by default
~/.osm/config.yaml.`,
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
