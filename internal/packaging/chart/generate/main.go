// Command generate writes the Helm chart of the version in the file VERSION: go run ./internal/packaging/chart/generate FOLDER
//
// The manifests in dist and the files in config/helm flow in. The chart flows out, into FOLDER.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/packaging/chart"
	"github.com/openservicemesh/osm-operator/internal/packaging/folder"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run ./internal/packaging/chart/generate FOLDER")
		os.Exit(2)
	}
	if err := generate(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

// generate replaces the folder by a new chart.
func generate(path string) error {
	version, err := os.ReadFile("VERSION")
	if err != nil {
		return err
	}
	manifests, err := os.ReadFile(filepath.Join("dist", "install.yaml"))
	if err != nil {
		return err
	}
	files, err := chart.Render(chart.Input{
		Version: strings.TrimSpace(string(version)), Manifests: manifests, Files: os.DirFS(filepath.Join("config", "helm")), Kubernetes: names.OldestKubernetes,
	})
	if err != nil {
		return err
	}
	return folder.Replace(path, files)
}
