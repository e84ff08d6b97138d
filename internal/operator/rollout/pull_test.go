package rollout

import (
	"slices"
	"testing"
)

// An image whose Envoy does not run must reach no pod, and end the upgrade.
func TestUnusableImageIsNotUsed(t *testing.T) {
	const reason = "the Envoy of the image new does not run"
	limits := inPlace()
	limits.Slots["new"] = SlotTarget{Image: newEnvoy, Level: "1", Unusable: reason}
	workloads := []Workload{slotted("shop", "web", outdatedPod)}
	if wave := NextWave(workloads, "new", limits, noon); len(wave.Patches)+len(wave.Restart) > 0 || len(wave.Blocked) != 1 || wave.Blocked[0].Reason != reason {
		t.Errorf("the wave is %+v, want the workload blocked", wave)
	}
	verdict := sidecarsTakenOver(Observation{Handovers: CountHandovers(workloads, "new", limits, noon)}, Bounds{})
	if verdict.State != Failed || verdict.Message != reason {
		t.Errorf("the gate says %+v", verdict)
	}
}

func TestSlotsWaitForTheImageOnTheirNode(t *testing.T) {
	pulled, missing, prepared, unscheduled := PodPatch{Pod: "a", Node: "one", Image: "mirror/new", Declared: "new"}, PodPatch{Pod: "b", Node: "two", Image: "mirror/new", Declared: "new"},
		PodPatch{Pod: "c", Node: "two", Image: "mirror/old", Declared: "old"}, PodPatch{Pod: "d", Image: "mirror/new", Declared: "new"}
	wave := Wave{Patches: []PodPatch{pulled, missing, prepared, unscheduled}, RetryPatches: []PodPatch{missing}}
	if !wave.NeedsImage("new") || (Wave{Patches: []PodPatch{prepared, unscheduled}}).NeedsImage("new") {
		t.Error("only slots that get the image on a node need it there")
	}
	got, node := wave.OnNodes(Nodes{"one": true}, "new")
	if node != "two" || !slices.Equal(got.Patches, []PodPatch{pulled, prepared, unscheduled}) || len(got.RetryPatches) > 0 {
		t.Errorf("%+v wait for %q", got, node)
	}
	wave.RetryPatches[0].Node = "three"
	if _, node := wave.OnNodes(Nodes{"one": true}, "new"); node != "two" {
		t.Errorf("the first node without the image is %q, want two", node)
	}
	if all, node := wave.OnNodes(nil, "new"); node != "" || len(all.Patches) != len(wave.Patches) {
		t.Errorf("after the time of the nodes, %d slots wait for %q", len(wave.Patches)-len(all.Patches), node)
	}
}
