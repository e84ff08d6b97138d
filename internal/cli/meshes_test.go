package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

// The version of a mesh is the one that runs, also while the revision of another one is active without a pod.
func TestVersionIsTheOneThatRuns(t *testing.T) {
	declared := &v1alpha1.Mesh{}
	declared.Name = "osm"
	declared.Status.Version, declared.Status.DesiredVersion = "v0.4.0", "v0.3.0"
	declared.Status.Revisions = []v1alpha1.RevisionSummary{{Role: v1alpha1.RoleActive, Version: "v0.3.0"}}
	m := fromDeclared(declared)
	if m.Version != "v0.4.0" || m.Desired != "v0.3.0" {
		t.Errorf("the version is %s, and %s is desired", m.Version, m.Desired)
	}
	var out bytes.Buffer
	if err := (&summary{mesh: m}).print(&out); err != nil || !strings.Contains(out.String(), "osm, version v0.4.0 (changing to v0.3.0), in namespace") {
		t.Errorf("%v, %s", err, out.String())
	}
}
