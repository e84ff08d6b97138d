package recorded

import (
	"os"
	"path"
	"path/filepath"
	"strings"
)

// earlier has where v0.3.0 has folders of this checkout that have moved since. It goes with that version.
var earlier = map[string]string{
	"internal/mesh/envoy":       "internal/envoy",
	"internal/packaging/bundle": "internal/bundle",
	"internal/platform/names":   "internal/names",
}

// Folder returns where the checkout of a recorded version has a folder of this checkout. Both are relative to their checkout.
func Folder(checkout, folder string) string {
	if _, err := os.Stat(filepath.Join(checkout, folder)); err == nil {
		return folder
	}
	for parent := folder; parent != "."; parent = path.Dir(parent) {
		if moved, found := earlier[parent]; found {
			return moved + strings.TrimPrefix(folder, parent)
		}
	}
	return folder
}
