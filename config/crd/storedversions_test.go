package crd_test

import (
	"io/fs"
	"os"
	"path"
	"slices"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/openservicemesh/osm-operator/config/crd"
)

// TestStoredVersionsAreKept checks that every version in which a recorded definition stored objects still exists and is served. The API
// server rejects a definition without a version in its status.storedVersions.
func TestStoredVersionsAreKept(t *testing.T) {
	recorded, err := fs.Glob(os.DirFS("testdata"), "v*")
	if err != nil || len(recorded) == 0 {
		t.Fatalf("no version is recorded in testdata (%v)", err)
	}
	current := definitions(t, crd.Own, crd.SMI, crd.MCS)
	for _, version := range recorded {
		for name, before := range definitions(t, os.DirFS(path.Join("testdata", version))) {
			for _, stored := range before.Spec.Versions {
				if stored.Storage && !slices.ContainsFunc(current[name].Spec.Versions, func(v apiextensionsv1.CustomResourceDefinitionVersion) bool { return v.Name == stored.Name && v.Served }) {
					t.Errorf("%s of %s stored the version %s, which the definition does not serve: keep it until no cluster stores it", name, version, stored.Name)
				}
			}
		}
	}
}
