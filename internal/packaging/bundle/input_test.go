package bundle_test

import (
	"maps"
	"os"
	"testing"
	"testing/fstest"

	"github.com/openservicemesh/osm-operator/internal/packaging/bundle"
)

func TestBundleReplacesTheLastReleasedVersion(t *testing.T) {
	checkout := fstest.MapFS{
		"dist/install.yaml": {}, "config/manifests/description.md": {}, "config/manifests/icon.svg": {}, "config/samples/operator_v1alpha1_mesh.yaml": {},
		"internal/operator/operand/manifests/v0.1.0/COMMIT":  {},
		"internal/operator/operand/manifests/v0.9.0/IMAGES":  {Data: []byte("{}")},
		"internal/operator/operand/manifests/v0.10.0/IMAGES": {Data: []byte("{}")},
		"internal/operator/operand/manifests/v0.11.0/IMAGES": {Data: []byte("{}")},
	}
	for version, want := range map[string]string{"v0.2.0": "", "v0.9.1": "v0.9.0", "v0.10.0": "v0.9.0", "v0.11.0": "v0.10.0", "v1.0.0": "v0.11.0"} {
		t.Run(version, func(t *testing.T) {
			tree := maps.Clone(checkout)
			tree["VERSION"] = &fstest.MapFile{Data: []byte(version + "\n")}
			in, err := bundle.ReadInput(tree)
			if err != nil || in.Replaces != want {
				t.Errorf("the bundle replaces %q (%v), want %q", in.Replaces, err, want)
			}
		})
	}
}

func TestThisBundleReplacesARecordedVersion(t *testing.T) {
	in, err := bundle.ReadInput(os.DirFS("../../.."))
	if err != nil {
		t.Fatal(err)
	}
	if in.Replaces == "" || in.Replaces == in.Version {
		t.Errorf("version %s replaces %q", in.Version, in.Replaces)
	}
}
