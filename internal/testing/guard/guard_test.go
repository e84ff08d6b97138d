package guard_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/guard"
)

func TestCommandRunsAfterTheGuard(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	input, err := guard.Start(`touch "$FILE"`, "FILE="+file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("the command ran before")
	}
	if err := input.Close(); err != nil {
		t.Error(err)
	}
	eventually.Succeeds(t, 10*time.Second, "the command runs", func() error { _, err := os.Stat(file); return err })
}
