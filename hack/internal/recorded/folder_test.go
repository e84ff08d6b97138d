package recorded

import (
	"os"
	"path/filepath"
	"testing"
)

func TestFoldersAreFoundInEarlierCheckouts(t *testing.T) {
	checkout := t.TempDir()
	if err := os.MkdirAll(filepath.Join(checkout, "internal/platform/names"), 0o755); err != nil {
		t.Fatal(err)
	}
	for folder, want := range map[string]string{
		"internal/platform/names":            "internal/platform/names",
		"internal/mesh/envoy/message":        "internal/envoy/message",
		"internal/packaging/bundle/generate": "internal/bundle/generate",
		"cmd/osm":                            "cmd/osm",
	} {
		if got := Folder(checkout, folder); got != want {
			t.Errorf("%s is %s, want %s", folder, got, want)
		}
	}
}
