package rollout

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
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
	got, node := wave.OnNodes(Nodes{"one": true}, "new")
	if node != "two" || !slices.Equal(got.Patches, []PodPatch{pulled, prepared, unscheduled}) || len(got.RetryPatches) > 0 {
		t.Errorf("%+v wait for %q", got, node)
	}
	wave.RetryPatches[0].Node = "three"
	if _, node := wave.OnNodes(Nodes{"one": true}, "new"); node != "two" {
		t.Errorf("the first node without the image is %q, want two", node)
	}
	if all, node := wave.OnNodes(nil, "new"); node != "" || len(all.Patches) != len(wave.Patches) {
		t.Errorf("if nobody asks the nodes, %d slots wait for %q", len(wave.Patches)-len(all.Patches), node)
	}
}

// TestWorkloadsNameTheNodesThatTheyWaitFor has one workload that waits, and one that does not.
func TestWorkloadsNameTheNodesThatTheyWaitFor(t *testing.T) {
	waits, goesOn := Ref{Name: "a"}, Ref{Name: "b"}
	wave := Wave{
		Patches:   []PodPatch{{Workload: waits, Pod: "a-1", Node: "two", Declared: "new"}, {Workload: goesOn, Pod: "b-1", Node: "one", Declared: "new"}},
		Upgrading: []Note{{waits, ""}, {goesOn, ""}},
	}
	got, _ := wave.OnNodes(Nodes{"one": true}, "new")
	if want := []Note{{waits, "a-1 waits until its node two has pulled the image"}, {goesOn, ""}}; !slices.Equal(got.Upgrading, want) {
		t.Errorf("the notes are %q, want %q", got.Upgrading, want)
	}
	if wave.Upgrading[0].Reason != "" {
		t.Error("the given wave was changed")
	}
}

// TestDemand has pods on several nodes. Those that are changed next come first. Nodes are not asked for pods that do not get the image.
func TestDemand(t *testing.T) {
	done, restarted, optedOut := slotted("c", "done", donePod), slotted("c", "restarted", outdatedPod), slotted("c", "out", outdatedPod)
	restarted.Sidecars["old"], optedOut.OptedOut = 2, true
	unready := onNodes(slotted("b", "unready", outdatedPod), "four")
	unready.Ready = false
	for name, test := range map[string]struct {
		workloads []Workload
		limits    func(*Limits)
		want      Demand
	}{
		"a quarter of the pods is next": {
			workloads: []Workload{onNodes(slotted("a", "x", outdatedPod, outdatedPod, outdatedPod), "one", "two", "one")}, want: Demand{Now: []string{"one"}, Later: []string{"two"}},
		},
		"another wave":                          {workloads: []Workload{onNodes(slotted("a", "x", outdatedPod), "one"), onNodes(slotted("a", "y", outdatedPod), "two")}, want: Demand{Now: []string{"one"}, Later: []string{"two"}}},
		"a workload that is not ready":          {workloads: []Workload{unready}, want: Demand{Later: []string{"four"}}},
		"a slot that starts keeps its node":     {workloads: []Workload{onNodes(slotted("a", "x", handingOver), "one")}, want: Demand{Later: []string{"one"}}},
		"nothing to do":                         {workloads: []Workload{onNodes(done, "one"), onNodes(restarted, "two"), onNodes(optedOut, "three")}, want: Demand{HasRun: true}},
		"a slot that cannot start":              {workloads: []Workload{onNodes(slotted("a", "x", pullingPod), "one"), onNodes(slotted("a", "y", takenBackPod), "two")}},
		"a pod without a node":                  {workloads: []Workload{onNodes(slotted("a", "x", outdatedPod), "")}},
		"sidecars are not upgraded in place":    {workloads: []Workload{onNodes(slotted("a", "x", outdatedPod), "one")}, limits: func(l *Limits) { l.InPlace = false }},
		"nobody restarts anything":              {workloads: []Workload{onNodes(slotted("a", "x", outdatedPod), "one")}, limits: func(l *Limits) { l.Manual = true }},
		"the workload is not in the namespaces": {workloads: []Workload{onNodes(slotted("a", "x", outdatedPod), "one")}, limits: func(l *Limits) { l.Include = func(Workload) bool { return false } }},
	} {
		limits := inPlace()
		if test.limits != nil {
			test.limits(&limits)
		}
		got := NextWave(test.workloads, "new", limits, noon).Demand(newEnvoy)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
