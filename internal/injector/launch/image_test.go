package launch

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestImagesWithTheSameEnvoyDiffer has images of two versions with the same program. Without the file, the program alone counts.
func TestImagesWithTheSameEnvoyDiffer(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, release := range []string{"", "v0.5.0\n", "v0.6.0\n"} {
		program := filepath.Join(t.TempDir(), "envoy")
		if err := os.Symlink(self, program); err != nil {
			t.Fatal(err)
		}
		if release != "" {
			if err := os.WriteFile(program+releaseSuffix, []byte(release), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		build, err := buildOf(program)
		if err != nil || len(strings.Fields(build)) != 1 {
			t.Errorf("%q: the build is %q, error %v", release, build, err)
		}
		if other, is := seen[build]; is {
			t.Errorf("%q and %q are the same build %s", release, other, build)
		}
		seen[build] = release
	}
	builder, err := os.ReadFile("../../../hack/images/builder.go")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(builder), `releaseSuffix = "`+releaseSuffix+`"`) {
		t.Errorf("the builder of images writes another file than %s", releaseSuffix)
	}
}
