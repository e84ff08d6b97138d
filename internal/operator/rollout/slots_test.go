package rollout

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

const (
	oldEnvoy = "envoy:1.39"
	newEnvoy = "envoy:1.40"
)

func slottedPod(first, second Slot) SlottedPod {
	first.Name, second.Name = "envoy", "envoy-standby"
	return SlottedPod{Namespace: "shop", Pod: "web", UID: "web", Slots: [2]Slot{first, second}}
}

func TestNextStepOfAPod(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	started := func(ago time.Duration) time.Time { return now.Add(-ago) }
	patch := func(slot, image string) *PodPatch {
		return &PodPatch{Namespace: "shop", Pod: "web", UID: "web", Slot: slot, Image: image}
	}
	const drained, next = "the connections of the earlier Envoy are drained", "the Envoy of the slot envoy-standby is about to take over"
	for name, test := range map[string]struct {
		first, second Slot
		want          Step
	}{
		"nothing is known": {Slot{Image: oldEnvoy}, Slot{Image: oldEnvoy}, Step{Waiting: "the control plane does not report which slot serves"}},
		"outdated": {
			Slot{Image: oldEnvoy, Role: report.Serving}, Slot{Image: oldEnvoy, Started: started(time.Hour)}, Step{Patch: patch("envoy-standby", newEnvoy)},
		},
		"the standby serves": {
			Slot{Image: oldEnvoy, Started: started(time.Hour)}, Slot{Image: oldEnvoy, Role: report.Serving}, Step{Patch: patch("envoy", newEnvoy)},
		},
		"the image is pulled":         {Slot{Image: oldEnvoy, Role: report.Serving}, Slot{Image: newEnvoy}, Step{Waiting: next}},
		"it has just started":         {Slot{Image: oldEnvoy, Role: report.Serving}, Slot{Image: newEnvoy, Started: started(time.Second)}, Step{Waiting: next}},
		"it gets its configuration":   {Slot{Image: oldEnvoy, Role: report.Serving}, Slot{Image: newEnvoy, Started: started(time.Hour), Role: report.Starting}, Step{Waiting: next}},
		"it has taken over":           {Slot{Image: oldEnvoy, Role: report.Draining}, Slot{Image: newEnvoy, Role: report.Serving}, Step{IsCurrent: true, Waiting: drained}},
		"the earlier one has drained": {Slot{Image: oldEnvoy, Started: started(time.Hour)}, Slot{Image: newEnvoy, Role: report.Serving}, Step{IsCurrent: true, Patch: patch("envoy", newEnvoy)}},
		"both slots have the image":   {Slot{Image: newEnvoy}, Slot{Image: newEnvoy, Role: report.Serving}, Step{IsCurrent: true}},
		"it did not take over": {
			Slot{Image: oldEnvoy, Role: report.Serving}, Slot{Image: newEnvoy, Started: started(takeOverTimeout)},
			Step{Patch: patch("envoy-standby", oldEnvoy), HasFailed: true, Waiting: "the Envoy of the slot envoy-standby did not take over within 3m0s"},
		},
		"back, before the takeover": {
			Slot{Image: newEnvoy, Role: report.Serving}, Slot{Image: oldEnvoy, Role: report.Starting}, Step{IsCurrent: true, Patch: patch("envoy-standby", newEnvoy)},
		},
		"further, while the earlier one drains": {Slot{Image: "envoy:1.38", Role: report.Draining}, Slot{Image: oldEnvoy, Role: report.Serving}, Step{Waiting: drained}},
	} {
		got := slottedPod(test.first, test.second).Next(newEnvoy, now)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestTheServingSlotIsNeverChanged tries all states of two slots.
func TestTheServingSlotIsNeverChanged(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	images, roles := []string{oldEnvoy, newEnvoy, "other"}, []report.Role{"", report.Serving, report.Starting, report.Draining}
	for _, firstImage := range images {
		for _, secondImage := range images {
			for _, firstRole := range roles {
				for _, secondRole := range roles {
					pod := slottedPod(Slot{Image: firstImage, Role: firstRole}, Slot{Image: secondImage, Role: secondRole})
					step := pod.Next(newEnvoy, now)
					for _, slot := range pod.Slots {
						if step.Patch != nil && step.Patch.Slot == slot.Name && (slot.Role == report.Serving || slot.Role == report.Draining || slot.Image == step.Patch.Image) {
							t.Errorf("%+v: the patch is %+v", pod.Slots, *step.Patch)
						}
					}
					if step.Patch == nil && step.Waiting == "" && !step.IsCurrent {
						t.Errorf("%+v: nothing happens, and nobody knows why", pod.Slots)
					}
				}
			}
		}
	}
}

// TestUpgradeAndWayBack plays a kubelet and launchers: a slot whose image has changed takes over, and the other one drains.
func TestUpgradeAndWayBack(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	pod := slottedPod(Slot{Image: oldEnvoy, Role: report.Serving}, Slot{Image: oldEnvoy})
	for _, image := range []string{newEnvoy, oldEnvoy, newEnvoy} {
		for range 10 {
			now = now.Add(time.Minute)
			step := pod.Next(image, now)
			switch {
			case step.Patch != nil:
				for i := range pod.Slots {
					if slot, other := &pod.Slots[i], &pod.Slots[1-i]; slot.Name == step.Patch.Slot {
						slot.Image, slot.Started = step.Patch.Image, now
						if slot.Image != other.Image {
							slot.Role, other.Role = report.Serving, report.Draining
						}
					}
				}
			case step.IsCurrent:
				for i := range pod.Slots {
					if pod.Slots[i].Role == report.Draining {
						pod.Slots[i].Role = ""
					}
				}
			}
		}
		if step := pod.Next(image, now); !step.IsCurrent || step.Patch != nil || pod.Slots[0].Image != image || pod.Slots[1].Image != image {
			t.Fatalf("on the way to %s: %+v", image, pod.Slots)
		}
	}
}

// TestPodsOfAWorkloadTakeOverInParts has a workload of nine pods.
func TestPodsOfAWorkloadTakeOverInParts(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	var pods []SlottedPod
	for i := range 9 {
		pod := slottedPod(Slot{Image: oldEnvoy, Role: report.Serving}, Slot{Image: oldEnvoy})
		pod.Pod = fmt.Sprint("web-", i)
		pods = append(pods, pod)
	}
	pods[0].Slots[1] = Slot{Name: "envoy-standby", Image: newEnvoy}
	pods[1].Slots = [2]Slot{{Name: "envoy", Image: oldEnvoy}, {Name: "envoy-standby", Image: newEnvoy, Role: report.Serving}}
	pods[2].Slots[1] = Slot{Name: "envoy-standby", Image: newEnvoy, Started: now.Add(-time.Hour)}
	got := planSlots(pods, newEnvoy, now)
	want := SlotsPlan{
		Patches: []PodPatch{
			{Namespace: "shop", Pod: "web-1", UID: "web", Slot: "envoy", Image: newEnvoy},
			{Namespace: "shop", Pod: "web-2", UID: "web", Slot: "envoy-standby", Image: oldEnvoy},
			{Namespace: "shop", Pod: "web-3", UID: "web", Slot: "envoy-standby", Image: newEnvoy},
		},
		Outdated: 8, InProgress: 1, Failed: 1, Waiting: "the Envoy of the slot envoy-standby is about to take over",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
