package observe

import (
	"testing"
	"testing/fstest"

	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/compatibility"
)

// TestMeshFollowsTheOperatorStepByStep has an operator of v0.4 that embeds v0.2 and v0.3. A mesh without spec.version that runs v0.2 changes to v0.3
// first, and to v0.4 once that has passed its gates. Until then nothing that the operator does changes the step.
func TestMeshFollowsTheOperatorStepByStep(t *testing.T) {
	versions := fstest.MapFS{}
	for _, version := range []string{"current", "v0.2.0", "v0.3.0"} {
		versions[version+"/controller.yaml"] = &fstest.MapFile{}
	}
	catalogue, err := operand.OpenCatalogue(versions, "v0.4.0", operand.Images{})
	if err != nil {
		t.Fatal(err)
	}
	c := &Cluster{Catalogue: catalogue, Compatibility: compatibility.Table{{Minor: "v0.2"}, {Minor: "v0.3"}, {Minor: "v0.4"}}}
	succeeded := func(version string) v1alpha1.HistoryEntry {
		return v1alpha1.HistoryEntry{Version: version, Result: v1alpha1.ResultSucceeded}
	}
	failed := v1alpha1.HistoryEntry{Version: "v0.3.0", Result: v1alpha1.ResultRolledBack}
	for name, test := range map[string]struct {
		pinned *string
		status v1alpha1.MeshStatus
		want   string
	}{
		"the first installation":        {nil, v1alpha1.MeshStatus{}, "v0.4.0"},
		"two steps away":                {nil, v1alpha1.MeshStatus{Version: "v0.2.0", History: []v1alpha1.HistoryEntry{succeeded("v0.2.0")}}, "v0.3.0"},
		"in the middle of the step":     {nil, v1alpha1.MeshStatus{Version: "v0.3.0", History: []v1alpha1.HistoryEntry{succeeded("v0.2.0")}}, "v0.3.0"},
		"after the step":                {nil, v1alpha1.MeshStatus{Version: "v0.3.0", History: []v1alpha1.HistoryEntry{succeeded("v0.3.0"), succeeded("v0.2.0")}}, "v0.4.0"},
		"after a step that failed":      {nil, v1alpha1.MeshStatus{Version: "v0.2.0", History: []v1alpha1.HistoryEntry{failed, succeeded("v0.2.0")}}, "v0.3.0"},
		"an installation without gates": {nil, v1alpha1.MeshStatus{Version: "v0.2.0"}, "v0.3.0"},
		"a declared version":            {ptr.To("v0.4.0"), v1alpha1.MeshStatus{Version: "v0.2.0"}, "v0.4.0"},
	} {
		mesh := &v1alpha1.Mesh{Status: test.status}
		mesh.Spec.Version = test.pinned
		if got := c.Desired(mesh).Version; got != test.want {
			t.Errorf("%s: the desired version is %s, want %s", name, got, test.want)
		}
	}
}
