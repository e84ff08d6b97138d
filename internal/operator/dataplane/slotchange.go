package dataplane

import (
	"encoding/json"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// slotChange is the operator's record of its last change of a slot, in names.SlotChangeAnnotation. Which containers have started since does not depend on
// clocks then. Users can reset the managed fields of a pod, but the policy slots.openservicemesh.io keeps them from changing the record.
type slotChange struct {
	// Time is when the slot was changed, by the clock of the operator.
	Time time.Time `json:"time"`
	// Pod is the UID of the pod: copies of a pod have its annotations.
	Pod types.UID `json:"pod"`
	// Slot is the name of the changed one.
	Slot string `json:"slot"`
	// Slots are both, by name.
	Slots map[string]recordedSlot `json:"slots"`
}

// recordedSlot is a slot at the time of a change.
type recordedSlot struct {
	// Image is what the slot has since then.
	Image string `json:"image"`
	// Container is the ID of the container that ran before; empty for none.
	Container string `json:"container,omitempty"`
	// TakenBack is the ImageKey of the image that the slot could not start with, if it has got its earlier one back; empty otherwise.
	TakenBack string `json:"takenBack,omitempty"`
}

// readSlotChange returns the record of a pod. It is false if there is none, and if a slot has another image: an earlier version of the operator, which keeps no
// record, or somebody else has changed it since.
func readSlotChange(pod *corev1.Pod) (slotChange, bool) {
	var change slotChange
	text := pod.Annotations[names.SlotChangeAnnotation]
	if text == "" || json.Unmarshal([]byte(text), &change) != nil || change.Pod != pod.UID || change.Time.IsZero() {
		return slotChange{}, false
	}
	for _, c := range pod.Spec.InitContainers {
		if names.IsSlot(c.Name) && !rollout.IsImage(c.Image, change.Slots[c.Name].Image) {
			return slotChange{}, false
		}
	}
	return change, true
}

// newSlotChange records a change of a slot of a pod.
func newSlotChange(pod *corev1.Pod, patch rollout.PodPatch, now time.Time) slotChange {
	earlier, _ := readSlotChange(pod)
	change := slotChange{Time: now.UTC().Truncate(time.Second), Pod: pod.UID, Slot: patch.Slot, Slots: map[string]recordedSlot{}}
	for _, c := range pod.Spec.InitContainers {
		if !names.IsSlot(c.Name) {
			continue
		}
		slot := recordedSlot{Image: c.Image, Container: containerOf(pod.Status.InitContainerStatuses, c.Name), TakenBack: earlier.Slots[c.Name].TakenBack}
		if c.Name == patch.Slot {
			slot.Image, slot.TakenBack = patch.Image, ""
			if patch.TakesBack != "" {
				slot.TakenBack = rollout.ImageKey(patch.TakesBack)
			}
		}
		change.Slots[c.Name] = slot
	}
	return change
}

// containerOf is the ID of the last container of a slot.
func containerOf(statuses []corev1.ContainerStatus, slot string) string {
	for _, status := range statuses {
		if status.Name == slot {
			return status.ContainerID
		}
	}
	return ""
}

// takenBack is the ImageKey of the image that was taken back last; empty for none.
func (c slotChange) takenBack() string {
	if key := c.Slots[c.Slot].TakenBack; key != "" {
		return key
	}
	for _, slot := range c.Slots {
		if slot.TakenBack != "" {
			return slot.TakenBack
		}
	}
	return ""
}

// annotations has the record.
func (c slotChange) annotations() (map[string]string, error) {
	text, err := json.Marshal(c)
	return map[string]string{names.SlotChangeAnnotation: string(text)}, err
}

// addChange adds to a pod with slots what is known of the operator's last change of them.
func addChange(p *rollout.SlottedPod, pod *corev1.Pod) {
	if changes := slotChanges(&pod.ObjectMeta); len(changes) > 0 {
		p.Patched, p.TakenBack = changes[len(changes)-1].Time.Time, takenBack(changes)
	}
	change, found := readSlotChange(pod)
	if !found {
		return
	}
	p.Patched, p.Recorded = change.Time, true
	if p.TakenBack == "" {
		p.TakenBack = change.takenBack()
	}
	for i := range p.Slots {
		p.Slots[i].Before = change.Slots[p.Slots[i].Name].Container
	}
}
