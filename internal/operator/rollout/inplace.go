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
	// waiting is why a pod is waited for. blocked is why one is not waited for.
	waiting, blocked string
}

// planSlots plans the way of the outdated pods of a workload to an image.
func planSlots(load Workload, outdated []SlottedPod, image string, limits Limits, now time.Time) slotsPlan {
	plan := slotsPlan{isBegun: slices.ContainsFunc(load.Slotted, func(p SlottedPod) bool { return p.hasImage(image) && p.isBegun(image) })}
	for _, pod := range outdated {
		switch step := pod.Next(image, now); step.State {
		case Begins:
			step.Patch.Workload = load.Ref
			plan.patches = append(plan.patches, *step.Patch)
		case Proceeds:
			plan.inProgress++
			plan.waiting = cmp.Or(plan.waiting, step.Reason)
		case Drains:
			// The launcher of the pod cuts the connections. What it does not cut must not hold up the upgrade.
			if serving, _, _ := pod.serving(); now.Sub(serving.Started) > limits.DrainTimeout+takeOverTimeout {
				plan.blocked = cmp.Or(plan.blocked, step.Reason)
				continue
			}
			plan.waiting = cmp.Or(plan.waiting, step.Reason)
		case Unknown, Fails, Stays:
			plan.blocked = cmp.Or(plan.blocked, step.Reason)
		case Current:
		}
	}
	slices.SortFunc(plan.patches, func(a, b PodPatch) int { return cmp.Compare(a.Pod, b.Pod) })
	plan.isBegun = plan.isBegun || plan.inProgress > 0
	if most := (len(load.Slotted)+share-1)/share - plan.inProgress; len(plan.patches) > most {
		plan.patches = plan.patches[:max(most, 0)]
	}
	return plan
}

// isInProgress reports whether the workload has begun and goes on.
func (p slotsPlan) isInProgress() bool {
	return p.isBegun && p.blocked == "" && (p.inProgress > 0 || len(p.patches) > 0)
}

// planInPlace plans a workload whose sidecars are upgraded in place. It is false for other workloads.
func (l Limits) planInPlace(load Workload, target string, now time.Time) (slotsPlan, bool) {
	restart, outdated := load.Outdated(target, l)
	if l.Manual || load.OptedOut || restart > 0 || len(outdated) == 0 || l.Include != nil && !l.Include(load) {
		return slotsPlan{}, false
	}
	image := l.Slots[target].Image
	stays := func(p SlottedPod) bool { return p.Next(image, now).State == Stays }
	if l.RestartIdle && l.Slots[target].Unusable == "" && load.Ref.Restartable() && slices.ContainsFunc(outdated, stays) {
		return slotsPlan{}, false
	}
	return planSlots(load, outdated, image, l, now), true
}

// upgradeInPlace changes images of slots of a workload. It returns how many more workloads of the namespace may be unavailable.
func (w *Wave) upgradeInPlace(load Workload, plan slotsPlan, limits Limits, available int, pause time.Duration) int {
	denied, due := limits.denied(load.Ref, w.Target)
	stopped := cmp.Or(limits.Slots[w.Target].Unusable, limits.Stopped)
	switch {
	case plan.isInProgress() && denied == "":
		// It has its place in the limits already.
		w.Upgrading = append(w.Upgrading, Note{load.Ref, plan.waiting})
		w.Patches = append(w.Patches, plan.patches...)
	case plan.blocked != "":
		w.requeueAfter(blockedRetry)
		w.Blocked = append(w.Blocked, Note{load.Ref, plan.blocked})
	case denied != "":
		w.Blocked = append(w.Blocked, Note{load.Ref, denied})
		if due && load.Ready && available > 0 && w.slots > 0 && pause <= 0 {
			w.RetryPatches = append(w.RetryPatches, plan.patches...)
			w.slots--
			return available - 1
		}
	case !load.Ready:
		w.Blocked = append(w.Blocked, Note{load.Ref, cmp.Or(load.Held, "its pods are not all ready: its sidecars are upgraded when they are")})
	case stopped != "":
		w.requeueAfter(blockedRetry)
		w.Blocked = append(w.Blocked, Note{load.Ref, stopped})
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
		w.Patches = append(w.Patches, plan.patches...)
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
		if serving, _, _ := pod.serving(); pod.isPatchedFor(image, limits) && pod.hasImage(image.Image) && !pod.Patched.IsZero() && serving.Started.After(latest) {
			latest = serving.Started
		}
	}
	return latest
}

// TakeOvers counts the pods whose Envoys are to take over for a revision.
type TakeOvers struct {
	// Begun counts the pods that have been given the image of the revision. Done are those of them that it serves.
	Begun, Done int
	// Failed are the reasons of those that did not take over in time, sorted by pod. Slow are those whose image is not on the node yet.
	Failed, Slow []string
	// Unusable is why the Envoy of the image does not run at all; empty if it does.
	Unusable string
	// Excused is a namespace whose failures do not count; empty without one.
	Excused string
}

// CountTakeOvers counts the pods whose Envoys are to take over for a target. Pods of one namespace do not decide alone: if Envoys of at least
// otherNamespaces others have taken over, its failures are excused. That a container cannot start counts only if none has started, because the
// image is the cause then.
func CountTakeOvers(workloads []Workload, target string, limits Limits, now time.Time) TakeOvers {
	var result TakeOvers
	image := limits.Slots[target]
	if limits.InPlace {
		result.Unusable = image.Unusable
	}
	done, failed := map[string]bool{}, map[string]bool{}
	var broken []string
	for _, load := range workloads {
		for _, pod := range load.Slotted {
			if !pod.isPatchedFor(image, limits) || !pod.isBegun(image.Image) {
				continue
			}
			result.Begun++
			step := pod.Next(image.Image, now)
			described := pod.Namespace + "/" + pod.Pod + ": " + step.Reason
			switch {
			case step.State == Current:
				result.Done++
				done[pod.Namespace] = true
			case step.State == Fails && pod.cannotStart(image.Image):
				broken = append(broken, described)
			case step.State == Fails:
				result.Failed = append(result.Failed, described)
				failed[pod.Namespace] = true
			case step.State == Proceeds && now.Sub(pod.Patched) >= takeOverTimeout:
				result.Slow = append(result.Slow, described)
			}
		}
	}
	if result.Done == 0 && len(result.Failed) == 0 {
		result.Failed = broken
	}
	slices.Sort(result.Failed)
	slices.Sort(result.Slow)
	for namespace := range failed {
		others := len(done)
		if done[namespace] {
			others--
		}
		if len(failed) == 1 && others >= otherNamespaces {
			result.Excused, result.Failed = namespace, nil
		}
	}
	return result
}

// cannotStart reports whether the container with an image has never started, for a reason that the kubelet reports.
func (p SlottedPod) cannotStart(image string) bool {
	return slices.ContainsFunc(p.Slots[:], func(s Slot) bool { return s.Image == image && s.Problem != "" && !p.hasStarted(s) })
}

// sidecarsTakenOver is the gate of sidecars that are upgraded in place. Those that are about to take over do not hold it.
func sidecarsTakenOver(o Observation, b Bounds) Verdict {
	v := Verdict{Gate: "SidecarsTakenOver", Message: "no sidecar is upgraded in place"}
	t := o.TakeOvers
	if t.Unusable != "" {
		v.State, v.Message = Failed, t.Unusable
		return v
	}
	if t.Begun == 0 {
		return v
	}
	v.Message = fmt.Sprintf("%d of %d sidecars that are upgraded in place have taken over", t.Done, t.Begun)
	limit, named := tolerated(b.MaxDisconnected, t.Begun), t.Failed
	switch {
	case len(t.Failed) > limit:
		v.State = Failed
	case len(t.Slow) > limit:
		v.State, named = Waiting, t.Slow
	}
	if len(named) > 0 {
		v.Message += "; " + namePods(named, "; ")
	}
	if t.Excused != "" {
		v.Message += fmt.Sprintf(" (sidecars of the namespace %s have not, which does not count alone)", t.Excused)
	}
	return v
}
