package rollout

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"
)

// Handovers counts the pods whose Envoys are to take over for a revision.
type Handovers struct {
	// Begun has the pods that have been given the image of the revision, also if it was taken back. Those that did not take over fail. A namespace is sound
	// with one that it serves.
	Begun Census
	// Done counts the pods that it serves.
	Done int
	// Unusable is why the Envoy of the image does not run at all; empty if it does.
	Unusable string
	// isRecent is true if all failures are slots that did not start, and that were changed less than handoverTimeout ago.
	isRecent bool
}

// CountHandovers counts the pods whose Envoys are to take over for a target.
func CountHandovers(workloads []Workload, target string, limits Limits, now time.Time) Handovers {
	image := limits.Slots[target]
	count := Handovers{isRecent: true}
	if limits.InPlace {
		count.Unusable = image.Unusable
	}
	for _, load := range reachable(workloads) {
		for _, pod := range load.Slotted {
			if pod.isPatchedFor(image, limits) && (pod.isBegun(image.Image) || pod.failsToStart(image.Image, now)) {
				count.add(pod, image.Image, now)
			}
		}
	}
	return count
}

// add counts a pod that was given the image.
func (h *Handovers) add(pod SlottedPod, image string, now time.Time) {
	if h.Begun == nil {
		h.Begun = Census{}
	}
	tally := h.Begun[pod.Namespace]
	tally.Pods++
	switch step := pod.Next(image, now); step.State {
	case Current:
		h.Done++
		tally.Sound = true
	case Fails:
		tally.Failed = append(tally.Failed, pod.Namespace+"/"+pod.Pod+": "+step.Reason)
		h.isRecent = h.isRecent && pod.failsToStart(image, now) && now.Sub(pod.Patched) < handoverTimeout
	case Begins, Proceeds, Drains, Unknown, Stays:
	}
	h.Begun[pod.Namespace] = tally
}

// Failed describes the pods that did not take over and that count, sorted.
func (h Handovers) Failed() []string { return h.Begun.evaluate(intstr.FromInt(0)).failed }

// isUndecided reports whether pods of a single namespace fail, and others may still show that the image is the cause. A slot that does not start is taken back
// within seconds, so the others have handoverTimeout to take over.
func (h Handovers) isUndecided() bool {
	failing := h.Begun.failing()
	return len(failing) == 1 && h.isRecent && !h.Begun.isOutweighed(failing[0])
}

// sidecarsTakenOver is the gate of sidecars that are upgraded in place. Those that are about to take over do not hold it.
func sidecarsTakenOver(o Observation, b Bounds) Verdict {
	v := Verdict{Gate: "SidecarsTakenOver", Message: "no sidecar is upgraded in place"}
	t := o.Handovers
	if t.Unusable != "" {
		v.State, v.Message = Failed, t.Unusable
		return v
	}
	if t.Begun.pods() == 0 {
		return v
	}
	v.Message = fmt.Sprintf("%d of %d sidecars that are upgraded in place have taken over", t.Done, t.Begun.pods())
	j := t.Begun.evaluate(b.MaxDisconnected)
	if j.exceeds && t.isUndecided() {
		v.Message += fmt.Sprintf("; the other namespaces decide whether these count: %s", namePods(j.failed, "; "))
		return v
	}
	if j.exceeds {
		v.State = Failed
	}
	if len(j.failed) > 0 {
		v.Message += "; " + namePods(j.failed, "; ")
	}
	v.Message += j.excuse(t.Begun[j.excused].Pods, "have not")
	return v
}
