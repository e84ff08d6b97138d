package rollout

import (
	"slices"
	"testing"
)

func TestSlotsWaitForTheImageOnTheirNode(t *testing.T) {
	pulled, missing, prepared, unscheduled := PodPatch{Pod: "a", Node: "one", Image: "new"}, PodPatch{Pod: "b", Node: "two", Image: "new"},
		PodPatch{Pod: "c", Node: "two", Image: "old"}, PodPatch{Pod: "d", Image: "new"}
	wave := Wave{Patches: []PodPatch{pulled, missing, prepared, unscheduled}, RetryPatches: []PodPatch{missing}}
	if !wave.NeedsImage("new") || (Wave{Patches: []PodPatch{prepared, unscheduled}}).NeedsImage("new") {
		t.Error("only slots that get the image on a node need it there")
	}
	got, node := wave.OnNodes(Nodes{"one": true}, "new")
	if node != "two" || !slices.Equal(got.Patches, []PodPatch{pulled, prepared, unscheduled}) || len(got.RetryPatches) > 0 {
		t.Errorf("%+v wait for %q", got, node)
	}
	if all, node := wave.OnNodes(nil, "new"); node != "" || len(all.Patches) != len(wave.Patches) {
		t.Errorf("after the time of the nodes, %d slots wait for %q", len(wave.Patches)-len(all.Patches), node)
	}
}
