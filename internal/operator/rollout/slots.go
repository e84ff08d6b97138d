package rollout

import (
	"fmt"
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

const (
	// handoverTimeout is how long an Envoy may take to take over from the other one of its pod. The launcher ends an attempt earlier.
	handoverTimeout = 3 * time.Minute
	// restartTimeout is how long the container of a slot may take to start again after it has ended for another image, which its node has pulled. The
	// kubelet does not report why it cannot start one that ended with exit code 0.
	restartTimeout = 30 * time.Second
	// clockSkew is how much the clocks of a node and of the API server may differ.
	clockSkew = 5 * time.Second
)

// Slot is one of the two containers of a pod that can run Envoy.
type Slot struct {
	// Name is that of the container.
	Name string
	// Image is what the container should run, as the Mesh declares it. Text is the image in the pod, which an admission step may have replaced; empty for
	// Image.
	Image, Text string
	// Started is when the container started last; zero while it does not run.
	Started time.Time
	// Container is the ID of the last container, and Before that of the one at the operator's last change of the pod, if that is recorded.
	Container, Before string
	// Problem is why the container does not start, such as ImagePullBackOff or CrashLoopBackOff; empty if it runs, and while it is about to.
	Problem string
	// Ended is true from the end of the container until it waits or runs again.
	Ended bool
	// Role is that of the Envoy in the slot; empty if none is connected.
	Role report.Role
}

// SlottedPod is a pod whose sidecar can be upgraded in place.
type SlottedPod struct {
	Namespace, Pod, UID string
	// Node is where the pod runs. Lost is true if it is not ready, so that the state of the pod is not known.
	Node string
	Lost bool
	// Unready is true if the pod is not ready.
	Unready bool
	// Revision is the revision that injected the pod. Level is that of what new images of the slots do not change, and Hash identifies the settings that they
	// do not change; empty for a pod whose injector did not say.
	Revision, Level, Hash string
	// Fixed is why the images of the slots must not be changed, although there are two; empty if they may.
	Fixed string
	// PullSecrets are the names of its pull secrets, sorted and separated by commas; empty without any.
	PullSecrets string
	// Patched is when the operator changed an image of the pod last; zero if it never did.
	Patched time.Time
	// Recorded is true if it is known which containers the pod had then. Earlier versions of the operator recorded nothing.
	Recorded bool
	// TakenBack is the ImageKey of the image that a slot could not start with, if that was the last change of the slot; empty otherwise.
	TakenBack string
	// Slots are the two slots, by name.
	Slots [2]Slot
	Injected
	// Rewrites are how admission steps replaced the images of the pod. Replaced is true if they did it in a way that cannot be applied to other images.
	Rewrites []Rewrite
	Replaced bool
}

// Injected are images that the injector gave a pod. They are empty in pods of versions before 0.6.
type Injected struct {
	// Sidecar is the image of its slots, and Init that of its init containers. InitText is what the init containers have got, and keep.
	Sidecar, Init, InitText string
}

// SlotTarget is what pods with two slots have in a revision.
type SlotTarget struct {
	// Image is the image of its sidecars, and Init that of its init containers. Level is empty if the revision does not know slots: then pods with slots are
	// restarted for it.
	Image, Init, Level string
	// Hash identifies the settings that images do not change; empty if the revision does not decide them.
	Hash string
	// Unusable is why the Envoy of the image does not run; empty if it does, and before it was tried.
	Unusable string
	Pulled
}

// PodPatch changes the image of a slot.
type PodPatch struct {
	// Workload is the owner of the pod.
	Workload            Ref
	Namespace, Pod, UID string
	// Image is what the pod gets, and Declared how the Mesh declares it.
	Slot, Image, Declared string
	// Node is where the pod runs.
	Node string
	// PullSecrets are those of the pod.
	PullSecrets string
	// TakesBack is the image that the slot could not start with; empty for other changes.
	TakesBack string
	// Unconfirmed is true if the Envoy of the slot may still drain connections, although it is not connected to the control plane at the moment.
	Unconfirmed bool
}

// StepState is how far a pod is on its way to an image.
type StepState int

// The states of a pod on its way.
const (
	// Current: the Envoy that serves has the image.
	Current StepState = iota
	// Begins: the patch of the step is the first change for the image, or prepares it.
	Begins
	// Proceeds: the Envoy with the image is about to take over.
	Proceeds
	// Drains: the slot is occupied by connections of an earlier Envoy.
	Drains
	// Unknown: the control plane does not report which slot serves.
	Unknown
	// Fails: the Envoy with the image did not take over in time.
	Fails
	// Stays: the slot has got the image and runs no Envoy. Either it cannot take over from the serving one, or it is the same.
	Stays
)

// Step is what is next for a pod on its way to an image.
type Step struct {
	State StepState
	// Patch is the change of a slot to make now; nil for none. That of a current pod concerns the slot that does not serve.
	Patch *PodPatch
	// Reason is what the pod waits for, or why the Envoy did not take over.
	Reason string
}

// Next returns the next step of a pod on its way to an image. The slot that serves is never changed. A slot takes over after its image has changed, so one
// that has the image already, from before, gets that of the serving slot first.
func (p SlottedPod) Next(image string, now time.Time) Step {
	serving, other, known := p.serving()
	switch {
	case p.Slots[0].Image == image && p.Slots[1].Image == image:
		return Step{State: Current}
	case !p.hasImage(image) && p.isTakenBack(image):
		return Step{State: Fails, Reason: p.takenBackText(image)}
	case !p.hasImage(image) && p.takeBack(now) != nil:
		return p.comesBack(image, now)
	case !known && now.Sub(p.Patched) < handoverTimeout:
		return Step{State: Proceeds, Reason: "the control plane does not report which slot of " + p.Pod + " serves"}
	case !known && p.Node == "":
		return Step{State: Unknown, Reason: p.Pod + " waits for a node"}
	case !known:
		return Step{State: Unknown, Reason: "the control plane does not report which slot of " + p.Pod + " serves"}
	case serving.Image == image:
		return p.align(serving, other, image, now)
	case other.Role == report.Draining:
		return Step{State: Drains, Reason: "connections of the earlier Envoy of " + p.Pod + " are drained"}
	case other.Image == serving.Image && p.isPatched(serving, other) && now.Sub(p.Patched) < handoverTimeout:
		return Step{State: Proceeds, Reason: "the slot " + other.Name + " of " + p.Pod + " is prepared"}
	case other.Problem != "":
		return Step{State: Fails, Reason: fmt.Sprintf("the slot %s of %s does not start with the image that serves: %s", other.Name, p.Pod, other.Problem)}
	case p.isReplaced(serving, image):
		return Step{State: Unknown, Reason: p.replacedText(serving, image)}
	case other.Image != image:
		return Step{State: Begins, Patch: p.patch(serving, other, image)}
	case p.Patched.IsZero() || p.hasStarted(serving):
		// The Envoy of the slot had the image before, and has drained.
		return Step{State: Begins, Patch: p.patch(serving, other, serving.Image)}
	}
	return p.handOver(other, now)
}

// handOver is the step of a pod whose other slot has got the image.
func (p SlottedPod) handOver(other Slot, now time.Time) Step {
	switch {
	case !p.hasStarted(other) || now.Sub(other.Started) < handoverTimeout:
		return Step{State: Proceeds, Reason: fmt.Sprintf("the Envoy of the slot %s of %s is about to take over", other.Name, p.Pod)}
	case other.Role == report.Starting:
		return Step{State: Fails, Reason: fmt.Sprintf("the Envoy of the slot %s of %s did not take over within %s: it has not got and accepted its whole configuration",
			other.Name, p.Pod, handoverTimeout)}
	}
	return Step{State: Stays, Reason: fmt.Sprintf("the slot %s of %s has got its image and stays idle, its log has the reason: the Envoy is the same, or cannot take over", other.Name, p.Pod)}
}

// align gives the other slot the image of the serving one as well, so that the way back is a change again. Connections that drain are waited for. An
// Envoy of another image that is about to take over is ended.
func (p SlottedPod) align(serving, other Slot, image string, now time.Time) Step {
	if p.takeBack(now) != nil {
		return Step{State: Current, Reason: "the slot " + other.Name + " of " + p.Pod + " gets the image back that serves"}
	}
	if other.Role == report.Draining {
		return Step{State: Current, Reason: "connections of the earlier Envoy of " + p.Pod + " are drained"}
	}
	return Step{State: Current, Patch: p.patch(serving, other, image)}
}

// patch changes the image of the other slot. While the last change was that of the serving one, the other may drain.
func (p SlottedPod) patch(serving, other Slot, image string) *PodPatch {
	return &PodPatch{
		Namespace: p.Namespace, Pod: p.Pod, UID: p.UID, Node: p.Node, PullSecrets: p.PullSecrets, Slot: other.Name, Image: p.textOf(image),
		Declared: image, Unconfirmed: other.Role == "" && other.Image != serving.Image && p.hasStarted(serving),
	}
}

// isPatched reports whether the other slot has not restarted since the operator changed its image.
func (p SlottedPod) isPatched(serving, other Slot) bool {
	return !p.Patched.IsZero() && !p.hasStarted(serving) && !p.hasStarted(other)
}

// hasStarted reports whether the container of a slot has started since the operator changed an image of the pod, and runs. Without a record of the change,
// clocks decide.
func (p SlottedPod) hasStarted(s Slot) bool {
	if p.Recorded && s.Container != "" {
		return s.Container != s.Before && !s.Started.IsZero()
	}
	return !p.Patched.IsZero() && !s.Started.Before(p.Patched.Add(-clockSkew))
}

// NotBefore returns the pod with slots that have not started before the operator changed an image of the pod, if they have started since: the clock of the node
// may be behind.
func (p SlottedPod) NotBefore(patched time.Time) SlottedPod {
	p.Patched = patched
	for i, s := range p.Slots {
		if p.Recorded && p.hasStarted(s) && s.Started.Before(patched) {
			p.Slots[i].Started = patched
		}
	}
	return p
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

// hasImage reports whether the Envoy that serves has an image.
func (p SlottedPod) hasImage(image string) bool {
	serving, _, known := p.serving()
	return known && serving.Image == image || p.Slots[0].Image == image && p.Slots[1].Image == image
}

// mayHaveImage is hasImage, and true if a slot has the image while it is not known which one serves. Nothing is restarted for that.
func (p SlottedPod) mayHaveImage(image string) bool {
	_, _, known := p.serving()
	return p.hasImage(image) || !known && (p.Slots[0].Image == image || p.Slots[1].Image == image)
}

// isBegun reports whether the operator has given a slot of the pod an image.
func (p SlottedPod) isBegun(image string) bool {
	return !p.Patched.IsZero() && (p.Slots[0].Image == image || p.Slots[1].Image == image)
}

// suits reports whether images alone decide whether the pod is of a revision.
func (p SlottedPod) suits(target SlotTarget, limits Limits) bool {
	hasSettings := p.Hash == "" || target.Hash == "" || p.Hash == target.Hash
	return hasSettings && target.Level != "" && p.Level == target.Level && (limits.RejectedRevision == "" || p.Revision != limits.RejectedRevision)
}

// isPatchedFor reports whether images of the slots may be changed to make the pod one of a revision.
func (p SlottedPod) isPatchedFor(target SlotTarget, limits Limits) bool {
	return limits.InPlace && p.Fixed == "" && p.suits(target, limits)
}

// Outdated returns how many sidecars of the workload need new pods for a target, and the pods that need another image only.
func (w Workload) Outdated(target string, limits Limits) (restart int, inPlace []SlottedPod) {
	for revision, n := range w.Sidecars {
		if revision != target {
			restart += n
		}
	}
	image := limits.Slots[target]
	for _, pod := range w.Slotted {
		if !pod.suits(image, limits) {
			continue
		}
		patched := pod.isPatchedFor(image, limits)
		if pod.Revision != target && (patched || pod.mayHaveImage(image.Image)) {
			restart--
		}
		if patched && !pod.hasImage(image.Image) {
			inPlace = append(inPlace, pod)
		}
	}
	return restart, inPlace
}

// ChangedAt is when the operator last changed the workload for a target; zero if it did not.
func (w Workload) ChangedAt(target string, limits Limits) time.Time {
	latest := time.Time{}
	if w.Restart.Revision == target {
		latest = w.Restart.At
	}
	image := limits.Slots[target]
	for _, pod := range w.Slotted {
		if pod.isPatchedFor(image, limits) && pod.isBegun(image.Image) && pod.Patched.After(latest) {
			latest = pod.Patched
		}
	}
	return latest
}

// needsRoles reports whether it matters for a target which slots of the workload serve.
func (w Workload) needsRoles(target string, limits Limits) bool {
	image := limits.Slots[target]
	mayChange := !limits.Manual && !w.OptedOut
	return slices.ContainsFunc(w.Slotted, func(pod SlottedPod) bool {
		return pod.suits(image, limits) && (pod.Slots[0].Image != pod.Slots[1].Image || mayChange && pod.isPatchedFor(image, limits) &&
			pod.Slots[0].Image != image.Image)
	})
}

// NeedsRoles reports whether it matters for a revision which slots serve.
func NeedsRoles(workloads []Workload, target string, limits Limits) bool {
	return slices.ContainsFunc(workloads, func(w Workload) bool { return w.needsRoles(target, limits) })
}

// WithRoles returns workloads with the roles of their slots, by the UID of the pod and the name of the slot. nil changes nothing.
func WithRoles(workloads []Workload, roles map[string]map[string]report.Role) []Workload {
	if roles == nil {
		return workloads
	}
	workloads = slices.Clone(workloads)
	for i := range workloads {
		workloads[i].Slotted = slices.Clone(workloads[i].Slotted)
		for j := range workloads[i].Slotted {
			pod := &workloads[i].Slotted[j]
			for k := range pod.Slots {
				pod.Slots[k].Role = roles[pod.UID][pod.Slots[k].Name]
			}
		}
	}
	return workloads
}
