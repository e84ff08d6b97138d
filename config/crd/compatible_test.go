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

// accepted are incompatible changes since a recorded version, with the reason why no object is affected.
var accepted = map[string]string{
	"meshes.operator.openservicemesh.io: the short name mesh is removed":                                                    "mesh is the singular name, which clients accept too",
	`meshes.operator.openservicemesh.io/v1alpha1 spec: the default changes from none to {}`:                                 "an absent spec and an empty one mean the same",
	`meshes.operator.openservicemesh.io/v1alpha1 status: the default changes from none to {"observedGeneration":-1}`:        newInProgress,
	`meshrevisions.operator.openservicemesh.io/v1alpha1 status: the default changes from none to {"observedGeneration":-1}`: newInProgress,
}

// newInProgress is the reason of the default of status.
const newInProgress = "only objects without a status get it, until the operator writes one: tools then see that they are in progress"

// TestDefinitionsRemainCompatible compares the definitions with those of each recorded version. Objects that were stored remain valid and
// mean the same.
func TestDefinitionsRemainCompatible(t *testing.T) {
	recorded, err := fs.Glob(os.DirFS("testdata"), "v*")
	if err != nil || len(recorded) == 0 {
		t.Fatalf("no version is recorded in testdata (%v)", err)
	}
	current := definitions(t, crd.Own, crd.SMI)
	used := map[string]bool{}
	for _, version := range recorded {
		for name, before := range definitions(t, os.DirFS(path.Join("testdata", version))) {
			after, exists := current[name]
			if !exists {
				t.Errorf("the definition %s of %s is removed", name, version)
				continue
			}
			for _, change := range crdchange.Incompatible(before, after) {
				if used[change] = true; accepted[change] == "" {
					t.Errorf("since %s, %s: undo it, or list it with the reason why no object is affected", version, change)
				}
			}
		}
	}
	for change := range accepted {
		if !used[change] {
			t.Errorf("the accepted change %q does not exist: remove it from the list", change)
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
