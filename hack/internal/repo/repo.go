package repo

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Module is the Go module of the product; the folder of its go.mod is the root.
const Module = "github.com/openservicemesh/osm-operator"

// Root returns the root of the checkout that contains the folder.
func Root(folder string) (string, error) {
	start, err := filepath.Abs(folder)
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		content, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if first, _, _ := strings.Cut(string(content), "\n"); err == nil && strings.TrimSpace(first) == "module "+Module {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%s is not inside a checkout of %s", start, Module)
		}
	}
}
