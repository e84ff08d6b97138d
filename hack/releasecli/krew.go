package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"
)

// project is the address of the project.
const project = "https://github.com/openservicemesh/osm-operator"

// krewFile is the name of krew's manifest. Krew requires the name of the plugin.
const krewFile = "osm.yaml"

// plugin is krew's manifest, with the fields that this project uses.
type plugin struct {
	APIVersion string     `json:"apiVersion"`
	Kind       string     `json:"kind"`
	Metadata   pluginName `json:"metadata"`
	Spec       pluginSpec `json:"spec"`
}

type pluginName struct {
	Name string `json:"name"`
}

type pluginSpec struct {
	Version          string           `json:"version"`
	Homepage         string           `json:"homepage"`
	ShortDescription string           `json:"shortDescription"`
	Description      string           `json:"description"`
	Platforms        []pluginPlatform `json:"platforms"`
}

type pluginPlatform struct {
	Selector pluginSelector `json:"selector"`
	URI      string         `json:"uri"`
	SHA256   string         `json:"sha256"`
	Bin      string         `json:"bin"`
	Files    []pluginFile   `json:"files"`
}

type pluginSelector struct {
	MatchLabels map[string]string `json:"matchLabels"`
}

type pluginFile struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// writeKrew writes the manifest with which krew installs the archives as the plugin `kubectl osm`.
func (r release) writeKrew(archives map[platform]string) error {
	manifest := plugin{
		APIVersion: "krew.googlecontainertools.github.com/v1alpha2", Kind: "Plugin", Metadata: pluginName{Name: "osm"},
		Spec: pluginSpec{
			Version: r.version, Homepage: project, ShortDescription: "Install and observe Open Service Mesh",
			Description: "Installs Open Service Mesh, adds namespaces to it, explains its policies, and shows its traffic.\n",
		},
	}
	for _, p := range platforms {
		archive, isBuilt := archives[p]
		if !isBuilt {
			continue
		}
		content, err := os.ReadFile(archive)
		if err != nil {
			return err
		}
		manifest.Spec.Platforms = append(manifest.Spec.Platforms, pluginPlatform{
			Selector: pluginSelector{MatchLabels: map[string]string{"os": p.os, "arch": p.arch}},
			URI:      fmt.Sprintf("%s/releases/download/%s/%s", project, r.version, filepath.Base(archive)),
			SHA256:   fmt.Sprintf("%x", sha256.Sum256(content)),
			Bin:      p.program(),
			Files:    []pluginFile{{From: p.program(), To: "."}, {From: "LICENSE", To: "."}},
		})
	}
	text, err := yaml.Marshal(manifest)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.folder, krewFile), text, 0o644)
}
