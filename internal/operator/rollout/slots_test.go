package rollout

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

const (
	oldEnvoy = "envoy:1.39"
	newEnvoy = "envoy:1.40"
)

// slottedPod returns a pod that was injected by the revision old and patched at a time.
func slottedPod(patched time.Time, first, second Slot) SlottedPod {
	first.Name, second.Name = "envoy", "envoy-standby"
	return SlottedPod{Namespace: "shop", Pod: "web", UID: "web", Node: "here", Revision: "old", Level: "1", Patched: patched, Slots: [2]Slot{first, second}}
}

// TestPodWithoutANode has slots that no kubelet has started, so nothing else can be known about them.
func TestPodWithoutANode(t *testing.T) {
	pod := SlottedPod{Namespace: "shop", Pod: "web", Slots: [2]Slot{{Image: oldEnvoy}, {Image: oldEnvoy}}}
	want := Step{State: Unknown, Reason: "web waits for a node"}
	if got := pod.Next(newEnvoy, noon); got != want {
		t.Errorf("next is %+v, want %+v", got, want)
	}
}

func TestNextStepOfAPod(t *testing.T) {
	never, before := time.Time{}, noon.Add(-time.Hour)
	ago := func(d time.Duration) time.Time { return noon.Add(-d) }
	patch := func(slot, image string) *PodPatch {
		return &PodPatch{Namespace: "shop", Pod: "web", UID: "web", Node: "here", Slot: slot, Image: image, Declared: image}
	}
	unconfirmed := func(p *PodPatch) *PodPatch { p.Unconfirmed = true; return p }
	const drained, unknown = "connections of the earlier Envoy of web are drained", "the control plane does not report which slot of web serves"
	const next, failed = "the Envoy of the slot envoy-standby of web is about to take over", "the Envoy of the slot envoy-standby of web did not take over within 3m0s: "
	const noStart = "the container of the slot envoy-standby of web cannot start with the image " + newEnvoy + ": "
	serving := func(image string, started time.Time) Slot {
		return Slot{Image: image, Started: started, Role: report.Serving}
	}
	for name, test := range map[string]struct {
		patched       time.Time
		first, second Slot
		want          Step
	}{
		"nothing is known":              {never, Slot{Image: oldEnvoy}, Slot{Image: oldEnvoy}, Step{State: Unknown, Reason: unknown}},
		"both slots have the image":     {never, Slot{Image: newEnvoy}, Slot{Image: newEnvoy}, Step{State: Current}},
		"nothing is known for a moment": {ago(time.Minute), Slot{Image: oldEnvoy}, Slot{Image: newEnvoy}, Step{State: Proceeds, Reason: unknown}},
		"nothing is known for long":     {ago(handoverTimeout), Slot{Image: oldEnvoy}, Slot{Image: newEnvoy}, Step{State: Unknown, Reason: unknown}},
		"one slot has the image":        {never, Slot{Image: newEnvoy}, Slot{Image: oldEnvoy}, Step{State: Unknown, Reason: unknown}},
		"outdated":                      {never, serving(oldEnvoy, before), Slot{Image: oldEnvoy, Started: before}, Step{State: Begins, Patch: patch("envoy-standby", newEnvoy)}},
		"the standby serves":            {never, Slot{Image: oldEnvoy, Started: before}, serving(oldEnvoy, before), Step{State: Begins, Patch: patch("envoy", newEnvoy)}},
		"the image is pulled":           {ago(handoverTimeout - 1), serving(oldEnvoy, ago(2*time.Hour)), Slot{Image: newEnvoy}, Step{State: Proceeds, Reason: next}},
		"nothing is known of the pull":  {ago(handoverTimeout), serving(oldEnvoy, ago(2*time.Hour)), Slot{Image: newEnvoy}, Step{State: Fails, Reason: noStart + "it has not started within 3m0s"}},
		"it has ended to start again":   {ago(restartTimeout - 1), serving(oldEnvoy, ago(2*time.Hour)), Slot{Image: newEnvoy, Ended: true}, Step{State: Proceeds, Reason: next}},
		"it does not start again":       {ago(restartTimeout), serving(oldEnvoy, ago(2*time.Hour)), Slot{Image: newEnvoy, Ended: true}, Step{State: Fails, Reason: noStart + "it has not started within 30s"}},
		"the kubelet does not act":      {ago(handoverTimeout), serving(oldEnvoy, before), Slot{Image: newEnvoy, Started: before}, Step{State: Fails, Reason: noStart + "it has not started within 3m0s"}},
		"the kubelet has not acted yet": {ago(time.Second), serving(oldEnvoy, before), Slot{Image: newEnvoy, Started: before}, Step{State: Proceeds, Reason: next}},
		"it has just started":           {ago(time.Hour), serving(oldEnvoy, ago(2*time.Hour)), Slot{Image: newEnvoy, Started: ago(time.Second)}, Step{State: Proceeds, Reason: next}},
		"the image cannot be pulled": {
			ago(time.Second), serving(oldEnvoy, before), Slot{Image: newEnvoy, Problem: "ErrImagePull"}, Step{State: Fails, Reason: noStart + "ErrImagePull"},
		},
		"the image cannot be pulled, and nothing else is known": {
			ago(time.Second), Slot{Image: oldEnvoy, Started: before}, Slot{Image: newEnvoy, Problem: "ImagePullBackOff"}, Step{State: Fails, Reason: noStart + "ImagePullBackOff"},
		},
		"it ends again and again": {
			ago(time.Minute), serving(oldEnvoy, before), Slot{Image: newEnvoy, Problem: crashLoop}, Step{State: Fails, Reason: noStart + "CrashLoopBackOff"},
		},
		"it ends again and again, and it may serve": {
			ago(time.Minute), Slot{Image: oldEnvoy, Started: before}, Slot{Image: newEnvoy, Problem: crashLoop}, Step{State: Proceeds, Reason: unknown},
		},
		"it does not start with the image that serves": {
			ago(time.Hour), serving(oldEnvoy, before),
			Slot{Image: oldEnvoy, Problem: "RunContainerError"},
			Step{State: Fails, Reason: "the slot envoy-standby of web does not start with the image that serves: RunContainerError"},
		},
		"it has had the image, and was never changed": {
			never, serving(oldEnvoy, before), Slot{Image: newEnvoy, Started: before}, Step{State: Begins, Patch: patch("envoy-standby", oldEnvoy)},
		},
		"it stays idle": {
			ago(time.Hour), serving(oldEnvoy, ago(2*time.Hour)),
			Slot{Image: newEnvoy, Started: ago(3 * time.Minute)},
			Step{State: Stays, Reason: "the slot envoy-standby of web has got its image and stays idle, its log has the reason: the Envoy is the same, or cannot take over"},
		},
		"it does not get its configuration": {
			ago(time.Hour), serving(oldEnvoy, ago(2*time.Hour)),
			Slot{Image: newEnvoy, Started: ago(3 * time.Minute), Role: report.Starting},
			Step{State: Fails, Reason: failed + "it has not got and accepted its whole configuration"},
		},
		"it has taken over": {
			ago(time.Minute), Slot{Image: oldEnvoy, Started: before, Role: report.Draining}, serving(newEnvoy, ago(time.Minute)), Step{State: Current, Reason: drained},
		},
		"the earlier one has drained, or is not connected": {
			ago(time.Minute),
			Slot{Image: oldEnvoy, Started: before},
			serving(newEnvoy, ago(time.Minute)),
			Step{State: Current, Patch: unconfirmed(patch("envoy", newEnvoy))},
		},
		"it has taken over, and the earlier one starts again": {
			ago(time.Minute), Slot{Image: oldEnvoy, Started: before, Role: report.Starting}, serving(newEnvoy, ago(time.Minute)), Step{State: Current, Patch: patch("envoy", newEnvoy)},
		},
		"back, before the handover": {
			ago(time.Minute), serving(newEnvoy, before),
			Slot{Image: oldEnvoy, Started: ago(time.Minute), Role: report.Starting},
			Step{State: Current, Patch: patch("envoy-standby", newEnvoy)},
		},
		"back, before the start": {ago(time.Minute), serving(newEnvoy, before), Slot{Image: oldEnvoy}, Step{State: Current, Patch: patch("envoy-standby", newEnvoy)}},
		"back, while the earlier one drains": {
			ago(time.Minute), Slot{Image: newEnvoy, Started: before, Role: report.Draining}, serving(oldEnvoy, ago(time.Minute)), Step{State: Drains, Reason: drained},
		},
		"back, after it has drained": {
			ago(time.Hour),
			Slot{Image: newEnvoy, Started: ago(2 * time.Hour)},
			serving(oldEnvoy, ago(time.Hour)),
			Step{State: Begins, Patch: unconfirmed(patch("envoy", oldEnvoy))},
		},
		"back, while the slot is prepared": {
			ago(time.Second),
			Slot{Image: oldEnvoy, Started: ago(2 * time.Hour)},
			serving(oldEnvoy, ago(time.Hour)),
			Step{State: Proceeds, Reason: "the slot envoy of web is prepared"},
		},
		"back, and the slot is not prepared in time": {
			ago(handoverTimeout), Slot{Image: oldEnvoy, Started: ago(2 * time.Hour)}, serving(oldEnvoy, ago(time.Hour)), Step{State: Begins, Patch: patch("envoy", newEnvoy)},
		},
		"back, after it has taken over with its earlier image": {
			ago(time.Minute), Slot{Image: oldEnvoy, Started: before}, serving(oldEnvoy, ago(time.Second)), Step{State: Begins, Patch: patch("envoy", newEnvoy)},
		},
		"further, before another image starts": {
			ago(time.Second), serving(oldEnvoy, before), Slot{Image: "envoy:1.38"}, Step{State: Begins, Patch: patch("envoy-standby", newEnvoy)},
		},
		"back, once the slot is prepared": {
			ago(time.Minute), Slot{Image: oldEnvoy, Started: ago(time.Minute)}, serving(oldEnvoy, ago(time.Hour)), Step{State: Begins, Patch: patch("envoy", newEnvoy)},
		},
		"further, from an image that does not start": {
			ago(time.Hour), serving(oldEnvoy, ago(2*time.Hour)),
			Slot{Image: "envoy:1.38", Problem: "ErrImagePull"},
			Step{State: Proceeds, Reason: "the slot envoy-standby of web gets the image back that serves"},
		},
		"back, from an image that does not start": {
			ago(time.Second), serving(newEnvoy, before), Slot{Image: oldEnvoy, Problem: "ErrImagePull"}, Step{State: Current, Reason: "the slot envoy-standby of web gets the image back that serves"},
		},
	} {
		got := slottedPod(test.patched, test.first, test.second).Next(newEnvoy, noon)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestTheServingSlotIsNeverChanged tries all states of two slots.
func TestTheServingSlotIsNeverChanged(t *testing.T) {
	var slots []Slot
	for _, image := range []string{oldEnvoy, newEnvoy, "other"} {
		for _, role := range []report.Role{"", report.Serving, report.Starting, report.Draining} {
			for _, started := range []time.Time{{}, noon.Add(-time.Hour), noon.Add(-time.Second)} {
				slots = append(slots, Slot{Image: image, Role: role, Started: started})
				if started.IsZero() {
					slots = append(slots, Slot{Image: image, Role: role, Problem: "ErrImagePull"}, Slot{Image: image, Role: role, Problem: crashLoop})
				}
			}
		}
	}
	for _, first := range slots {
		for _, second := range slots {
			for _, patched := range []time.Time{{}, noon.Add(-time.Minute), noon.Add(-2 * time.Hour)} {
				pod := slottedPod(patched, first, second)
				step := pod.Next(newEnvoy, noon)
				if back := pod.takeBack(noon); back != nil && step.Patch != nil {
					t.Errorf("%+v: the patches are %+v and %+v", pod.Slots, *step.Patch, *back)
				} else if back != nil {
					step.Patch = back
				}
				for i, slot := range pod.Slots {
					if step.Patch != nil && step.Patch.TakesBack != "" && step.Patch.Slot == slot.Name && (slot.Image != step.Patch.TakesBack || pod.Slots[1-i].Started.IsZero()) {
						t.Errorf("%+v: %s is taken back from an image that runs nowhere", pod.Slots, step.Patch.Slot)
					}
					if step.Patch != nil && step.Patch.Slot == slot.Name && (slot.Role == report.Serving || slot.Role == report.Draining || slot.Image == step.Patch.Image) {
						t.Errorf("%+v: the patch is %+v", pod.Slots, *step.Patch)
					}
				}
				if step.Patch == nil && step.Reason == "" && step.State != Current {
					t.Errorf("%+v: nothing happens, and nobody knows why", pod.Slots)
				}
			}
		}
	}
}

// TestUpgradeAndWayBack plays a kubelet and launchers: a slot whose image has changed takes over, and the other one drains.
func TestUpgradeAndWayBack(t *testing.T) {
	now := noon
	pod := slottedPod(time.Time{}, Slot{Image: oldEnvoy, Role: report.Serving, Started: noon.Add(-time.Hour)}, Slot{Image: oldEnvoy, Started: noon.Add(-time.Hour)})
	for _, image := range []string{newEnvoy, oldEnvoy, newEnvoy} {
		for range 10 {
			now = now.Add(time.Minute)
			step := pod.Next(image, now)
			switch {
			case step.Patch != nil:
				for i := range pod.Slots {
					if slot, other := &pod.Slots[i], &pod.Slots[1-i]; slot.Name == step.Patch.Slot {
						slot.Image, slot.Started, pod.Patched = step.Patch.Image, now, now
						if slot.Image != other.Image {
							slot.Role, other.Role = report.Serving, report.Draining
						}
					}
				}
			default:
				for i := range pod.Slots {
					if pod.Slots[i].Role == report.Draining {
						pod.Slots[i].Role = ""
					}
				}
			}
		}
		if step := pod.Next(image, now); step.State != Current || step.Patch != nil || pod.Slots[0].Image != image || pod.Slots[1].Image != image {
			t.Fatalf("on the way to %s: %+v, next %+v", image, pod.Slots, step)
		}
	}
}
