package rollout

import (
	"fmt"
	"slices"
	"time"
)

// Handovers counts the pods whose Envoys are to take over for a revision.
type Handovers struct {
	// Begun counts the pods that have been given the image of the revision, also if it was taken back. Done are those of them that it serves.
	Begun, Done int
	// Failed are the reasons of those that did not take over, sorted by pod.
	Failed []string
	// Uncounted are the reasons of one namespace that do not count alone, sorted by pod. IsUndecided is true as long as others may still show that the image
	// is the cause.
	Uncounted   []string
	IsUndecided bool
	// Unusable is why the Envoy of the image does not run at all; empty if it does.
	Unusable string
}

// handoverCount is what is counted for Handovers.
type handoverCount struct {
	Handovers
	// done are the namespaces in which an Envoy has taken over. failed are the reasons of the others, by namespace.
	done   map[string]bool
	failed map[string][]string
	// isRecent is true if all failures are slots that did not start, and that were changed less than handoverTimeout ago.
	isRecent bool
}

// CountHandovers counts the pods whose Envoys are to take over for a target. Pods of one namespace do not decide alone, because its owner chooses pull secrets
// and quotas: if Envoys of at least otherNamespaces others have taken over, its failures do not count. A slot that does not start is taken back within
// seconds, so the others have handoverTimeout to take over.
func CountHandovers(workloads []Workload, target string, limits Limits, now time.Time) Handovers {
	image := limits.Slots[target]
	count := handoverCount{done: map[string]bool{}, failed: map[string][]string{}, isRecent: true}
	if limits.InPlace {
		count.Unusable = image.Unusable
	}
	for _, load := range workloads {
		for _, pod := range load.Slotted {
			if pod.isPatchedFor(image, limits) && (pod.isBegun(image.Image) || pod.failsToStart(image.Image, now)) {
				count.add(pod, image.Image, now)
			}
		}
	}
	for namespace, reasons := range count.failed {
		count.Failed = append(count.Failed, reasons...)
		if len(count.failed) > 1 {
			continue
		}
		others := len(count.done)
		if count.done[namespace] {
			others--
		}
		if isExcused := others >= otherNamespaces; isExcused || count.isRecent {
			count.Uncounted, count.Failed, count.IsUndecided = count.Failed, nil, !isExcused
		}
	}
	slices.Sort(count.Failed)
	slices.Sort(count.Uncounted)
	return count.Handovers
}

// add counts a pod that was given the image.
func (c *handoverCount) add(pod SlottedPod, image string, now time.Time) {
	c.Begun++
	switch step := pod.Next(image, now); step.State {
	case Current:
		c.Done++
		c.done[pod.Namespace] = true
	case Fails:
		c.failed[pod.Namespace] = append(c.failed[pod.Namespace], pod.Namespace+"/"+pod.Pod+": "+step.Reason)
		c.isRecent = c.isRecent && pod.failsToStart(image, now) && now.Sub(pod.Patched) < handoverTimeout
	case Begins, Proceeds, Drains, Unknown, Stays:
	}
}

// sidecarsTakenOver is the gate of sidecars that are upgraded in place. Those that are about to take over do not hold it.
func sidecarsTakenOver(o Observation, b Bounds) Verdict {
	v := Verdict{Gate: "SidecarsTakenOver", Message: "no sidecar is upgraded in place"}
	t := o.Handovers
	if t.Unusable != "" {
		v.State, v.Message = Failed, t.Unusable
		return v
	}
	if t.Begun == 0 {
		return v
	}
	v.Message = fmt.Sprintf("%d of %d sidecars that are upgraded in place have taken over", t.Done, t.Begun)
	limit, named := tolerated(b.MaxDisconnected, t.Begun), t.Failed
	if len(t.Failed) > limit {
		v.State = Failed
	}
	if len(named) > 0 {
		v.Message += "; " + namePods(named, "; ")
	}
	if len(t.Uncounted) > 0 {
		v.Message += fmt.Sprintf(" (%d of one namespace have not, which does not count alone: %s)", len(t.Uncounted), namePods(t.Uncounted, "; "))
	}
	return v
}
