package folder_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/packaging/folder"
)

func TestReplace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "generated")
	if err := folder.Replace(path, map[string][]byte{"old.yaml": []byte("old")}); err != nil {
		t.Fatal(err)
	}
	if err := folder.Replace(path, map[string][]byte{"deep/new.yaml": []byte("new")}); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(path, "deep", "new.yaml"))
	if err != nil || string(content) != "new" {
		t.Errorf("the file has %q: %v", content, err)
	}
	if _, err := os.Stat(filepath.Join(path, "old.yaml")); !os.IsNotExist(err) {
		t.Errorf("a file of the earlier folder remains: %v", err)
	}
}
