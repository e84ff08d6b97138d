package rollout

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"
)

// Limits restrict the restarts of workloads.
type Limits struct {
	// MaxUnavailable is how many of the workloads of one namespace may be restarting or not ready at the same time, as a number or
	// a percentage, rounded up; at least one.
	MaxUnavailable intstr.IntOrString
	// MaxConcurrent is how many workloads of all namespaces may be restarting at the same time. 0 does not limit them.
	MaxConcurrent int
	// Concurrent replaces MaxConcurrent by a number, or by a percentage of all workloads, rounded up and at least one; nil for none.
	Concurrent *intstr.IntOrString
	// Pause is the time between a restarted workload of a namespace becoming ready and the next restart there.
	Pause time.Duration
	// Manual only lists the outdated workloads and restarts none.
	Manual bool
	// Include selects the workloads to restart; nil selects all. Excluded workloads still count against MaxUnavailable.
	Include func(Workload) bool
	// RejectedRevision is the revision that a rollback leaves; empty for none. A workload that was restarted for it and is not ready is
	// restarted at once, because its sidecars may be the cause.
	RejectedRevision string
	// InPlace upgrades sidecars of pods with two slots by their images. Align also gives slots that do not serve the image of the serving one.
	InPlace, Align bool
	// Timeout is how long a restarted workload is waited for while none of its pods becomes ready. 0 does not limit it.
	Timeout time.Duration
	// AwaitLast waits for restarted workloads whose sidecars are all of the target revision, until their last pods are ready.
	AwaitLast bool
	// RestartIdle restarts workloads with a slot that stays idle with its new image.
	RestartIdle bool
	// Unproven is true if nodes prove nothing for pods without pull secrets: they pull with those of the mesh, or do not pull ahead.
	Unproven bool
	// Stopped is why no workload begins to be upgraded in place; empty if they may. Halted is why none is restarted either.
	Stopped, Halted string
	// UnreadSince is when a workload could not be read first; zero for now.
	UnreadSince time.Time
	// Slots is what pods with two slots have in each revision. Pods are evaluated by their revision alone without it.
	Slots map[string]SlotTarget
	// DrainTimeout is how long connections of an earlier Envoy may last.
	DrainTimeout time.Duration
	// Denied returns why the last restart of a workload for a target was denied, and whether it is time to retry. The message is empty
	// for workloads that were not denied. nil means that none was.
	Denied func(ref Ref, target string) (message string, due bool)
	// Order is which workloads restart before which others.
	Order *Order
	// Stages are the names of the stages in their order, and StageOf is the one of each namespace, by its index. Other namespaces come last.
	Stages  []string
	StageOf map[string]int
}

// Wave lists the workloads with outdated sidecars by what is done about them now.
type Wave struct {
	// Target is the revision of the sidecars after a restart.
	Target string
	// Restart are the workloads to restart now, sorted.
	Restart []Ref
	// Patches are the images of slots to change now, for sidecars that are upgraded in place. Align are those of slots that do not serve.
	// Both are sorted by workload and pod.
	Patches, Align []PodPatch
	// AwaitsNodes is true if pods wait until their nodes have an image. The upgrade does not wait for them.
	AwaitsNodes bool
	// TakeBacks are the slots that get their earlier image back, because they do not start with the one that they have. Sorted by pod.
	TakeBacks []PodPatch
	// Upgrading are the workloads whose sidecars are being upgraded in place, each with what a pod waits for, sorted by workload.
	Upgrading []Note
	// InProgress are restarted workloads that are not ready yet, sorted.
	InProgress []Ref
	// Waiting are outdated workloads that will be restarted later, each with the reason, sorted by workload.
	Waiting []Note
	// Blocked are outdated workloads whose state forbids a restart now, sorted by workload. The upgrade does not wait for them.
	Blocked []Note
	// Retry are the denied workloads among Blocked to restart now, sorted. The other workloads take precedence.
	Retry []Ref
	// RetryPatches are those of denied workloads whose sidecars are upgraded in place.
	RetryPatches []PodPatch
	// Manual are outdated workloads that a user must restart: those that opted out, Jobs and bare pods. Sorted by workload.
	Manual []Note
	// RequeueAfter is when to compute the wave again without an event; zero is never.
	RequeueAfter time.Duration
	// Unordered is why the order of the restarts is not known; empty if it is, or needs not be.
	Unordered string
	// slots is how many more workloads may be restarted now, over all namespaces.
	slots int
	// late are restarted workloads that are not ready in time.
	late overdue
	// proofs are what is known about pulls of the image of the target.
	proofs *proofs
	// awaitedStage is why no further workload is changed; empty before a stage that is not complete.
	awaitedStage string
	// isStuck is true if the namespace has no room because of workloads that nothing waits for.
	isStuck bool
	// pending are the workloads that others may wait for, by the order of the limits.
	pending map[Ref]bool
}

// blockedRetry is how often a workload is tried again that a PodDisruptionBudget blocks.
const blockedRetry = time.Minute

// Note is a reason for a workload.
type Note struct {
	Ref    Ref
	Reason string
}

// Done reports whether no workload is left that the operator can restart.
func (w Wave) Done() bool {
	return len(w.Restart) == 0 && len(w.Upgrading) == 0 && len(w.InProgress) == 0 && len(w.Waiting) == 0
}

// NextWave chooses the workloads to restart so that their sidecars become those of the target revision.
func NextWave(workloads []Workload, target string, limits Limits, now time.Time) Wave {
	workloads, limits = reachable(workloads), limits.of(len(workloads))
	byNamespace, inPlace := map[string][]Workload{}, map[Ref]slotsPlan{}
	known := newProofs(workloads, target, limits, now)
	late, stopped := findOverdue(workloads, target, limits, now), stoppedNamespaces(workloads, target, limits, now)
	slots := limits.slots() - late.slots(limits)
	for _, w := range workloads {
		byNamespace[w.Ref.Namespace] = append(byNamespace[w.Ref.Namespace], w)
		plan, ok := limits.planInPlace(w, target, known, now)
		if ok {
			if reason := stopped[w.Ref.Namespace]; reason != "" {
				plan.blocked, plan.patches = cmp.Or(plan.blocked, reason), nil
			}
			inPlace[w.Ref] = plan
		}
		if w.isRestarting(target, now) && !late.refs[w.Ref] || plan.isInProgress() {
			slots--
		}
	}
	wave := Wave{Target: target, slots: slots, late: late, proofs: known, pending: limits.pending(workloads, target, now)}
	if limits.Order != nil {
		wave.Unordered = limits.Order.unknown
	}
	// The order decides which namespaces get the slots first.
	for _, namespaces := range limits.stages(slices.Sorted(maps.Keys(byNamespace))) {
		for _, namespace := range namespaces {
			wave.addNamespace(byNamespace[namespace], inPlace, limits, now)
		}
		wave.endStage(limits, namespaces)
	}
	slices.SortFunc(wave.Restart, Ref.Compare)
	slices.SortFunc(wave.InProgress, Ref.Compare)
	slices.SortFunc(wave.Retry, Ref.Compare)
	byRef := func(a, b Note) int { return a.Ref.Compare(b.Ref) }
	slices.SortFunc(wave.Upgrading, byRef)
	slices.SortFunc(wave.Waiting, byRef)
	slices.SortFunc(wave.Blocked, byRef)
	slices.SortFunc(wave.Manual, byRef)
	return wave
}

// pending returns the workloads that are restarting in time, or would restart sooner or later without the order of the limits. Others must not be waited for.
func (l Limits) pending(workloads []Workload, target string, now time.Time) map[Ref]bool {
	if l.Order == nil {
		return nil
	}
	l.Order = nil
	wave, pending := NextWave(workloads, target, l, now), map[Ref]bool{}
	for _, ref := range slices.Concat(wave.Restart, wave.InProgress) {
		pending[ref] = !wave.late.refs[ref]
	}
	for _, note := range wave.Waiting {
		// A workload of a later stage waits for this one.
		pending[note.Ref] = note.Reason != wave.awaitedStage
	}
	return pending
}

// addNamespace adds the workloads of one namespace. plans are those of the workloads whose sidecars are upgraded in place.
func (w *Wave) addNamespace(group []Workload, plans map[Ref]slotsPlan, limits Limits, now time.Time) {
	slices.SortFunc(group, func(a, b Workload) int { return a.Ref.Compare(b.Ref) })
	restartable, unavailable, unawaited := 0, 0, 0
	var lastReady time.Time
	var due dueWorkloads
	for _, load := range group {
		if load.Ref.isKind() {
			w.addUnread(load, limits, now)
			continue
		}
		w.align(load, limits, now)
		plan, isInPlace := plans[load.Ref]
		if load.isAbsent() && load.Restart.Revision != w.Target {
			continue
		}
		if load.Ref.Restartable() && load.Unread == "" || isInPlace {
			restartable++
			if load.isUnavailable(w.Target, now) || plan.isInProgress() {
				unavailable++
				if w.isUnawaited(load, limits, now) {
					unawaited++
				}
			}
		}
		if ready := load.ReadyFor(w.Target, limits); ready.After(lastReady) {
			lastReady = ready
		}
		w.addWorkload(load, isInPlace, limits, now, &due)
	}
	pause := lastReady.Add(limits.Pause).Sub(now)
	w.isStuck = unawaited >= limits.Unavailable(restartable)
	available := limits.Unavailable(restartable) - unavailable
	slices.SortStableFunc(due.inPlace, w.proofs.compare)
	for _, load := range due.inPlace {
		available = w.upgradeInPlace(load, plans[load.Ref], limits, available, pause)
	}
	available = w.choose(due.outdated, limits, available, pause)
	w.retry(due.denied, limits, available, pause)
}

// dueWorkloads are the outdated workloads of a namespace that are upgraded if there is room: by a restart, after a denied restart, and in place.
type dueWorkloads struct{ outdated, denied, inPlace []Workload }

// addWorkload adds a workload by its own state. What depends on the room of the namespace is due.
func (w *Wave) addWorkload(load Workload, isInPlace bool, limits Limits, now time.Time, due *dueWorkloads) {
	target := w.Target
	denied, isDue := limits.denied(load.Ref, target)
	switch {
	case load.isAbsent() && !load.Ready:
		w.addInProgress(load, limits, false)
	case limits.AwaitLast && load.isReplacingLastPod(target, limits, now):
		w.addInProgress(load, limits, true)
	case !load.isOutdated(target, limits) || limits.Include != nil && !limits.Include(load):
	case isInPlace:
		due.inPlace = append(due.inPlace, load)
	case !load.Ref.Restartable():
		w.addManual(load, "is of a kind that the operator does not restart: delete its pods, or let them end")
	case limits.Manual:
		w.addManual(load, "is outdated, and restarts are manual: "+load.Ref.restartHint())
	case load.OptedOut:
		w.addManual(load, "opted out of restarts: "+load.Ref.restartHint())
	case load.Unread != "":
		w.addUnread(load, limits, now)
	case load.OnDelete:
		w.addManual(load, "does not replace its pods by itself, because of its update strategy or because it is paused: delete its pods one by one")
	case denied != "":
		w.Blocked = append(w.Blocked, Note{load.Ref, denied})
		if isDue {
			due.denied = append(due.denied, load)
		}
	case limits.RejectedRevision != "" && load.Restart.Revision == limits.RejectedRevision && !load.Ready:
		w.add(&w.Restart, load.Ref)
	case load.Restart.Revision == target && load.isMissed(now):
		// It has its slot already.
		w.Restart = append(w.Restart, load.Ref)
	case load.Restart.Revision == target && load.isAbandoned(now):
		w.Blocked = append(w.Blocked, Note{load.Ref, "it was restarted without effect: " + load.notReadyReason()})
	case load.Restart.Revision == target && !load.Ready:
		w.addInProgress(load, limits, false)
	case load.Restart.Revision == target && load.Restart.Retry:
		w.addManual(load, "was restarted twice and still has outdated sidecars: check whether its pods are injected")
	case load.Restart.Revision == target && load.confirmationLeft(now) > 0:
		w.addWaiting(load, "it was restarted and still has outdated sidecars: it is restarted once more if they remain")
		w.requeueAfter(load.confirmationLeft(now))
	default:
		due.outdated = append(due.outdated, load)
	}
}

// addUnread adds a workload that cannot be read. That may pass, so the upgrade waits, but not longer than for a gate.
func (w *Wave) addUnread(load Workload, limits Limits, now time.Time) {
	w.requeueAfter(blockedRetry)
	if limits.UnreadSince.IsZero() || now.Sub(limits.UnreadSince) <= limits.Timeout {
		w.addWaiting(load, load.Unread)
		return
	}
	w.Blocked = append(w.Blocked, Note{load.Ref, fmt.Sprintf("%s, for longer than %s", load.Unread, limits.Timeout)})
}

// retry restarts denied workloads again, within the same limits.
func (w *Wave) retry(denied []Workload, limits Limits, available int, pause time.Duration) {
	for _, load := range denied {
		if limits.Halted != "" || w.awaitedStage != "" {
			continue
		}
		isUrgent := limits.RejectedRevision != "" && load.Restart.Revision == limits.RejectedRevision && !load.Ready
		if isUrgent || load.Ready && load.Blocked == "" && limits.Order.awaits(load.Ref, w.pending) == "" && available > 0 && w.slots > 0 && pause <= 0 {
			w.add(&w.Retry, load.Ref)
			available--
		}
	}
}

// choose restarts as many workloads as may be unavailable, after the pause of the namespace. It returns how many more may be.
func (w *Wave) choose(outdated []Workload, limits Limits, available int, pause time.Duration) int {
	for _, load := range outdated {
		awaits := limits.Order.awaits(load.Ref, w.pending)
		switch {
		case limits.Halted != "":
			w.Blocked = append(w.Blocked, Note{load.Ref, limits.Halted})
		case w.awaitedStage != "":
			w.addWaiting(load, w.awaitedStage)
		case !load.Ready:
			w.Blocked = append(w.Blocked, Note{load.Ref, load.notReadyReason()})
		case load.Blocked != "":
			// No event tells when a budget changes.
			w.requeueAfter(blockedRetry)
			w.Blocked = append(w.Blocked, Note{load.Ref, fmt.Sprintf("the PodDisruptionBudget %s allows no disruption now", load.Blocked)})
		case awaits != "":
			w.addWaiting(load, awaits)
		case available < 1:
			w.addWithoutRoom(load, limits, "as many workloads of the namespace as maxUnavailable allows are restarting or not ready")
		case pause > 0:
			w.addWaiting(load, "the namespace pauses after its last restart")
			w.requeueAfter(pause)
		case w.slots < 1:
			w.addWaiting(load, "as many workloads of the mesh as maxConcurrentRestarts allows are restarting")
		default:
			w.add(&w.Restart, load.Ref)
			available--
		}
	}
	return available
}

// add adds a restart to a list of the wave. It uses a slot.
func (w *Wave) add(list *[]Ref, ref Ref) {
	*list = append(*list, ref)
	w.slots--
}

func (w *Wave) addWaiting(load Workload, reason string) {
	w.Waiting = append(w.Waiting, Note{load.Ref, reason})
}

func (w *Wave) addManual(load Workload, reason string) {
	w.Manual = append(w.Manual, Note{load.Ref, reason})
}

func (w *Wave) requeueAfter(after time.Duration) {
	if w.RequeueAfter == 0 || after < w.RequeueAfter {
		w.RequeueAfter = after
	}
}

func (l Limits) denied(ref Ref, target string) (message string, due bool) {
	if l.Denied == nil {
		return "", false
	}
	return l.Denied(ref, target)
}

// slots is how many workloads may be restarting at the same time.
func (l Limits) slots() int {
	if l.MaxConcurrent < 1 {
		return math.MaxInt
	}
	return l.MaxConcurrent
}

// of returns the limits for so many workloads.
func (l Limits) of(workloads int) Limits {
	if l.Concurrent == nil {
		return l
	}
	if n, err := intstr.GetScaledValueFromIntOrPercent(l.Concurrent, workloads, true); err == nil {
		l.MaxConcurrent = max(n, 1)
	}
	return l
}

// Unavailable is how many of the given number of workloads may be unavailable, at least one.
func (l Limits) Unavailable(total int) int {
	n, err := intstr.GetScaledValueFromIntOrPercent(&l.MaxUnavailable, total, true)
	if err != nil || n < 1 {
		// Admission rejects such values. A stored one must not block upgrades.
		return 1
	}
	return n
}
