package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// takeOverTimeout is how long an Envoy may take to take over from the other one of its pod, from the start of its container. The launcher gives up earlier.
const takeOverTimeout = 3 * time.Minute

// Slot is one of the two containers of a pod that can run Envoy.
type Slot struct {
	// Name is that of the container.
	Name string
	// Image is what the container should run.
	Image string
	// Started is when the container started with that image; zero while it has not.
	Started time.Time
	// Role is that of the Envoy in the slot; empty if none is connected.
	Role report.Role
}

// SlottedPod is a pod whose sidecar can be upgraded in place.
type SlottedPod struct {
	Namespace, Pod, UID string
	// Slots are the two slots, by name.
	Slots [2]Slot
	// Problem is why the pod can be upgraded by a restart only; empty if it can be upgraded in place.
	Problem string
}

// PodPatch changes the image of a slot.
type PodPatch struct {
	Namespace, Pod, UID string
	Slot, Image         string
}

// Step is what is next for a pod on its way to an image.
type Step struct {
	// IsCurrent is true if the Envoy that serves has the image.
	IsCurrent bool
	// Patch is the change of a slot to make now; nil for none.
	Patch *PodPatch
	// Waiting is what the pod waits for; empty if it waits for nothing.
	Waiting string
	// HasFailed is true if the Envoy with the image did not take over in time. The patch of such a pod prepares another attempt.
	HasFailed bool
}

// Next returns the next step of a pod on its way to an image. The slot that serves is never changed. A slot takes over after its image has changed, so one
// that has the image already, from before, gets that of the serving slot first.
func (p SlottedPod) Next(image string, now time.Time) Step {
	serving, other, known := p.serving()
	switch {
	case !known:
		return Step{Waiting: "the control plane does not report which slot serves"}
	case serving.Image == image:
		return p.settle(other, image)
	case other.Role == report.Draining:
		return Step{Waiting: "the connections of the earlier Envoy are drained"}
	case other.Image != image:
		return Step{Patch: p.patch(other, image)}
	case other.Role == report.Starting || other.Started.IsZero() || now.Sub(other.Started) < takeOverTimeout:
		return Step{Waiting: "the Envoy of the slot " + other.Name + " is about to take over"}
	}
	return Step{
		Patch: p.patch(other, serving.Image), HasFailed: true,
		Waiting: fmt.Sprintf("the Envoy of the slot %s did not take over within %s", other.Name, takeOverTimeout),
	}
}

// settle gives the other slot the image of the serving one as well, so that the way back is a change again. Connections that drain are waited for. An
// Envoy of another image that is about to take over is ended.
func (p SlottedPod) settle(other Slot, image string) Step {
	step := Step{IsCurrent: true}
	switch {
	case other.Image == image:
	case other.Role == report.Draining:
		step.Waiting = "the connections of the earlier Envoy are drained"
	default:
		step.Patch = p.patch(other, image)
	}
	return step
}

func (p SlottedPod) patch(s Slot, image string) *PodPatch {
	return &PodPatch{Namespace: p.Namespace, Pod: p.Pod, UID: p.UID, Slot: s.Name, Image: image}
}

// serving returns the slot that serves and the other one. They are not known while two Envoys seem to serve: replicas of the control plane report a
// connection that is lost for a while.
func (p SlottedPod) serving() (serving, other Slot, known bool) {
	for i, slot := range p.Slots {
		if other := p.Slots[1-i]; slot.Role == report.Serving && other.Role != report.Serving {
			return slot, other, true
		}
	}
	return Slot{}, Slot{}, false
}

// share is the part of the pods of a workload that may take over at the same time: one in share, at least one.
const share = 4

// SlotsPlan is what is done about the slots of a workload.
type SlotsPlan struct {
	// Patches are the changes to make now, sorted by pod.
	Patches []PodPatch
	// Outdated is how many pods are served by another image. InProgress are those of them that wait, Failed those whose Envoy did not take over.
	Outdated, InProgress, Failed int
	// Waiting is an example of what a pod waits for.
	Waiting string
}

// planSlots plans the way of the pods of a workload to an image. Slots that do not serve are settled without limit.
func planSlots(pods []SlottedPod, image string, now time.Time) SlotsPlan {
	var plan SlotsPlan
	limit := (len(pods) + share - 1) / share
	var begin []PodPatch
	for _, pod := range pods {
		step := pod.Next(image, now)
		switch {
		case step.IsCurrent && step.Patch != nil:
			plan.Patches = append(plan.Patches, *step.Patch)
		case step.IsCurrent:
		case step.HasFailed:
			plan.Failed++
			begin = append(begin, *step.Patch)
		case step.Patch != nil:
			begin = append(begin, *step.Patch)
		default:
			plan.InProgress++
		}
		if !step.IsCurrent {
			plan.Outdated++
			plan.Waiting = cmp.Or(plan.Waiting, step.Waiting)
		}
	}
	byPod := func(a, b PodPatch) int { return cmp.Compare(a.Pod, b.Pod) }
	slices.SortFunc(begin, byPod)
	plan.Patches = append(plan.Patches, begin[:min(len(begin), max(limit-plan.InProgress, 0))]...)
	slices.SortFunc(plan.Patches, byPod)
	return plan
}
