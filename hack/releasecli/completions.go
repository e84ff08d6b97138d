package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/openservicemesh/osm-operator/hack/internal/build"
)

// completionFiles are the completion scripts in archives, by the argument of `osm completion`.
var completionFiles = map[string]string{
	"bash":           "completions/osm.bash",
	"fish":           "completions/osm.fish",
	"kubectl-plugin": "completions/kubectl_complete-osm",
	"powershell":     "completions/osm.ps1",
	"zsh":            "completions/_osm",
}

// completions returns the completion scripts. They are the same on all platforms, so a program for this machine prints
// them.
func (r release) completions(ctx context.Context) ([]file, error) {
	scratch, err := os.MkdirTemp("", "osm-completions-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch)
	program := filepath.Join(scratch, "osm")
	if err := build.Run(ctx, build.Command{Dir: r.root, Args: []string{"go", "build", "-trimpath", "-o", program, "./cmd/osm"}}); err != nil {
		return nil, err
	}
	var files []file
	for shell, name := range completionFiles {
		script, err := build.Output(ctx, build.Command{Args: []string{program, "completion", shell}})
		if err != nil {
			return nil, fmt.Errorf("the completion for %s: %w", shell, err)
		}
		files = append(files, file{name: name, content: []byte(script), executable: shell == "kubectl-plugin"})
	}
	return files, nil
}
