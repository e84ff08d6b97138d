package crd_test

import (
	"os"
	"path"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// changedInPlace are the groups of recorded versions that changed in place afterwards, because no version had been published:
// see docs/decisions/0012-api-changes-in-place.md. They are not compared. A published version never has an entry.
var changedInPlace = map[string]string{"v0.3.0": "operator.openservicemesh.io"}

// recordedDefinitions returns the definitions of a recorded version that the current ones must be compatible with, by their names.
func recordedDefinitions(t *testing.T, version string) map[string]*apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	all := definitions(t, os.DirFS(path.Join("testdata", version)))
	for name, definition := range all {
		if definition.Spec.Group == changedInPlace[version] {
			delete(all, name)
		}
	}
	return all
}

// TestGroupsChangedInPlaceBelongToRecordedVersions keeps the list of exceptions from outliving its versions.
func TestGroupsChangedInPlaceBelongToRecordedVersions(t *testing.T) {
	for version, group := range changedInPlace {
		if _, err := os.Stat(path.Join("testdata", version)); err != nil {
			t.Errorf("%s is not recorded: remove its entry for %s (%v)", version, group, err)
		}
	}
}
