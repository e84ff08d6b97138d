package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

const (
	// share is the part of the pods of a workload that may take over at the same time: one in share, at least one.
	share = 4
	// drainRetry is how often pods are observed in which connections of an earlier Envoy drain.
	drainRetry = 15 * time.Second
)

// slotsPlan is what is done about the pods of a workload whose sidecars are upgraded in place.
type slotsPlan struct {
	// patches are the changes to make now, sorted by pod.
	patches []PodPatch
	// isBegun is true if pods of the workload have the image already, or are about to have it.
	isBegun bool
	// inProgress counts pods that are about to take over.
	inProgress int
	// failed counts pods that were changed and did not take over.
	failed int
	// waiting is why a pod is waited for. blocked is why one is not waited for: the others go on without it.
	waiting, blocked string
	// unproven is why a pod does not begin, and holds nothing up. awaitsNode is true if a node is the reason.
	unproven   string
	awaitsNode bool
}

// planSlots plans the way of the outdated pods of a workload to an image.
func planSlots(load Workload, outdated []SlottedPod, known *proofs, limits Limits, now time.Time) slotsPlan {
	image := known.target.Image
	plan := slotsPlan{isBegun: slices.ContainsFunc(load.Slotted, func(p SlottedPod) bool { return p.hasImage(image) && p.isBegun(image) })}
	for _, pod := range outdated {
		switch step := pod.Next(image, now); step.State {
		case Begins:
			if pod.Unready {
				plan.blocked = cmp.Or(plan.blocked, pod.Pod+" is not ready: its sidecar is upgraded when it is")
				continue
			}
			if reason, ofNode := known.missing(pod); reason != "" {
				plan.unproven, plan.awaitsNode = cmp.Or(plan.unproven, reason), plan.awaitsNode || ofNode
				continue
			}
			step.Patch.Workload = load.Ref
			plan.patches = append(plan.patches, *step.Patch)
		case Proceeds:
			plan.inProgress++
			plan.waiting = cmp.Or(plan.waiting, step.Reason)
		case Drains:
			// The launcher of the pod cuts the connections. What it does not cut must not hold up the upgrade.
			if serving, _, _ := pod.serving(); now.Sub(serving.Started) > limits.DrainTimeout+handoverTimeout {
				plan.blocked = cmp.Or(plan.blocked, step.Reason)
				continue
			}
			plan.waiting = cmp.Or(plan.waiting, step.Reason)
		case Fails, Stays:
			plan.failed++
			plan.blocked = cmp.Or(plan.blocked, step.Reason)
		case Unknown:
			plan.blocked = cmp.Or(plan.blocked, step.Reason)
		case Current:
		}
	}
	slices.SortFunc(plan.patches, func(a, b PodPatch) int {
		if first := known.hasNode(a.Node); first != known.hasNode(b.Node) {
			return map[bool]int{true: -1, false: 1}[first]
		}
		return cmp.Compare(a.Pod, b.Pod)
	})
	plan.isBegun = plan.isBegun || plan.inProgress > 0
	plan.limit(load, image, now)
	return plan
}

// limit leaves out the patches that would make more than one in share of the pods of the workload unavailable, and all of them if more than one in share of
// its changed pods did not take over.
func (p *slotsPlan) limit(load Workload, image string, now time.Time) {
	unready, begun := 0, 0
	for _, pod := range load.Slotted {
		if pod.Unready && pod.Next(image, now).State != Proceeds {
			unready++
		}
		if pod.isBegun(image) || pod.failsToStart(image, now) {
			begun++
		}
	}
	most := max((len(load.Slotted)+share-1)/share-p.inProgress-unready, 0)
	switch {
	case p.failed*share > begun:
		p.patches = nil
	case most == 0 && unready > 0 && len(p.patches) > 0:
		p.blocked, p.patches = cmp.Or(p.blocked, tooManyUnready(unready, len(load.Slotted))), nil
	default:
		p.patches = p.patches[:min(most, len(p.patches))]
	}
}

// tooManyUnready is why no pod of a workload begins.
func tooManyUnready(unready, pods int) string {
	return fmt.Sprintf("%d of its %d pods are not ready: its sidecars are upgraded when fewer are", unready, pods)
}

// isInProgress reports whether the workload has begun and goes on.
func (p slotsPlan) isInProgress() bool {
	return p.isBegun && (p.inProgress > 0 || len(p.patches) > 0)
}

// planInPlace plans a workload whose sidecars are upgraded in place. It is false for other workloads.
func (l Limits) planInPlace(load Workload, target string, known *proofs, now time.Time) (slotsPlan, bool) {
	restart, outdated := load.Outdated(target, l)
	if l.Manual || load.OptedOut || restart > 0 || len(outdated) == 0 || l.Include != nil && !l.Include(load) {
		return slotsPlan{}, false
	}
	image := l.Slots[target].Image
	stays := func(p SlottedPod) bool { return p.Next(image, now).State == Stays }
	if l.RestartIdle && l.Slots[target].Unusable == "" && load.Ref.Restartable() && slices.ContainsFunc(outdated, stays) {
		return slotsPlan{}, false
	}
	return planSlots(load, outdated, known, l, now), true
}

// upgradeInPlace changes images of slots of a workload. It returns how many more workloads of the namespace may be unavailable.
func (w *Wave) upgradeInPlace(load Workload, plan slotsPlan, limits Limits, available int, pause time.Duration) int {
	denied, due := limits.denied(load.Ref, w.Target)
	stopped := cmp.Or(limits.Slots[w.Target].Unusable, limits.Halted, limits.Stopped)
	w.AwaitsNodes = w.AwaitsNodes || plan.awaitsNode
	switch {
	case plan.isInProgress() && denied == "":
		// It has its place in the limits already.
		w.Upgrading = append(w.Upgrading, Note{load.Ref, plan.waiting})
		w.Patches = append(w.Patches, w.proofs.admit(plan.patches)...)
	case w.awaitedStage != "":
		w.addWaiting(load, w.awaitedStage)
	case plan.blocked != "" && len(plan.patches) == 0 && plan.waiting == "":
		w.requeueAfter(blockedRetry)
		w.Blocked = append(w.Blocked, Note{load.Ref, plan.blocked})
	case denied != "":
		w.Blocked = append(w.Blocked, Note{load.Ref, denied})
		if due && load.Held == "" && stopped == "" && available > 0 && w.slots > 0 && pause <= 0 {
			w.RetryPatches = append(w.RetryPatches, w.proofs.admit(plan.patches)...)
			w.slots--
			return available - 1
		}
	case load.Held != "":
		w.Blocked = append(w.Blocked, Note{load.Ref, load.Held})
	case stopped != "":
		w.requeueAfter(blockedRetry)
		w.Blocked = append(w.Blocked, Note{load.Ref, stopped})
	case len(plan.patches) == 0 && plan.waiting == "" && plan.unproven != "":
		w.requeueAfter(blockedRetry)
		w.Blocked = append(w.Blocked, Note{load.Ref, plan.unproven})
	case len(plan.patches) == 0:
		w.addWaiting(load, plan.waiting)
		w.requeueAfter(drainRetry)
	case available < 1:
		w.addWithoutRoom(load, limits, "as many workloads of the namespace as maxUnavailable allows are upgraded, restarting or not ready")
	case pause > 0:
		w.addWaiting(load, "the namespace pauses after its last upgrade")
		w.requeueAfter(pause)
	case w.slots < 1:
		w.addWaiting(load, "as many workloads of the mesh as maxConcurrentRestarts allows are upgraded or restarting")
	default:
		patches := w.proofs.admit(plan.patches)
		if len(patches) == 0 {
			w.addWaiting(load, "the first pod of the namespace with the same pull secrets has to start with the image")
			return available
		}
		w.Patches = append(w.Patches, patches...)
		w.Upgrading = append(w.Upgrading, Note{load.Ref, plan.waiting})
		w.slots--
		return available - 1
	}
	return available
}

// align prepares slots that do not serve for the way back. No limit applies, because it changes no Envoy that serves.
func (w *Wave) align(load Workload, limits Limits, now time.Time) {
	image := limits.Slots[w.Target]
	if !limits.Align || load.OptedOut {
		return
	}
	for _, pod := range load.Slotted {
		if !pod.isPatchedFor(image, limits) {
			continue
		}
		step := pod.Next(image.Image, now)
		if step.State == Current && step.Patch != nil {
			step.Patch.Workload = load.Ref
			w.Align = append(w.Align, *step.Patch)
		}
		if step.State == Current && (step.Patch != nil || step.Reason != "") {
			w.requeueAfter(drainRetry)
		}
	}
}

// ReadyFor is when the last pod of the workload became ready for a target after a restart, or took over in place; zero for neither.
func (w Workload) ReadyFor(target string, limits Limits) time.Time {
	latest := time.Time{}
	if w.Restart.Revision == target && w.Ref.Restartable() {
		latest = w.ReadySince
	}
	image := limits.Slots[target]
	for _, pod := range w.Slotted {
		if serving, _, _ := pod.serving(); pod.isPatchedFor(image, limits) && pod.hasImage(image.Image) && !pod.Patched.IsZero() &&
			serving.Started.After(latest) {
			latest = serving.Started
		}
	}
	return latest
}
