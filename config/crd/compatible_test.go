package crd_test

import (
	"io/fs"
	"os"
	"path"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/openservicemesh/osm-operator/config/crd"
	"github.com/openservicemesh/osm-operator/internal/testing/crdchange"
	"github.com/openservicemesh/osm-operator/internal/testing/envtest"
)

// TestDefinitionsRemainCompatible compares the definitions with those of each recorded version. Objects that were stored remain valid and
// mean the same.
func TestDefinitionsRemainCompatible(t *testing.T) {
	recorded, err := fs.Glob(os.DirFS("testdata"), "v*")
	if err != nil || len(recorded) == 0 {
		t.Fatalf("no version is recorded in testdata (%v)", err)
	}
	current := definitions(t, crd.Own, crd.SMI, crd.MCS)
	for _, version := range recorded {
		for name, before := range definitions(t, os.DirFS(path.Join("testdata", version))) {
			after, exists := current[name]
			if !exists {
				t.Errorf("the definition %s of %s is removed", name, version)
				continue
			}
			for _, change := range crdchange.Incompatible(before, after) {
				t.Errorf("since %s, %s: undo it", version, change)
			}
		}
	}
}

// Each recorded version of the control plane has its definitions here, so that the comparison includes it.
func TestRecordedVersionsHaveDefinitions(t *testing.T) {
	commits, err := fs.Glob(os.DirFS("../../internal/operator/operand/manifests"), "*/COMMIT")
	if err != nil || len(commits) == 0 {
		t.Fatalf("no version is recorded (%v)", err)
	}
	for _, commit := range commits {
		version := path.Dir(commit)
		all := definitions(t, os.DirFS(path.Join("testdata", version)))
		if _, exists := all["meshes.operator.openservicemesh.io"]; !exists {
			t.Errorf("testdata/%s lacks the definition of Mesh: copy the definitions of its commit", version)
		}
	}
}

// definitions returns the definitions of file systems by their names.
func definitions(t *testing.T, files ...fs.FS) map[string]*apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	all := map[string]*apiextensionsv1.CustomResourceDefinition{}
	for _, definition := range envtest.Definitions(t, files...) {
		all[definition.Name] = definition
	}
	return all
}
