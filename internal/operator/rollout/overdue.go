package rollout

import (
	"fmt"
	"time"
)

// overdue are the workloads that were restarted for a revision and are not ready in time.
type overdue struct {
	refs       map[Ref]bool
	namespaces map[string]bool
	// excused is true if they are all of one namespace, and workloads of at least otherNamespaces others are ready after their restarts. They are
	// then not waited for: the owner of one namespace could stop every upgrade otherwise.
	excused bool
}

// findOverdue returns the workloads that are not ready in time after a restart for target.
func findOverdue(workloads []Workload, target string, limits Limits, now time.Time) overdue {
	found := overdue{refs: map[Ref]bool{}, namespaces: map[string]bool{}}
	done := map[string]bool{}
	for _, w := range workloads {
		switch {
		case w.isOverdue(target, limits.Timeout, now):
			found.refs[w.Ref], found.namespaces[w.Ref.Namespace] = true, true
		case w.Ready && !w.isOutdated(target, limits) && !w.ReadyFor(target, limits).IsZero():
			done[w.Ref.Namespace] = true
		}
	}
	others := len(done)
	for namespace := range found.namespaces {
		if done[namespace] {
			others--
		}
	}
	found.excused = len(found.namespaces) == 1 && others >= otherNamespaces
	return found
}

// isOverdue reports whether the workload was restarted for target and is not ready in time. Each of its pods has the timeout: as long as one after the
// other becomes ready, there is progress, and all of them together have the sum.
func (w Workload) isOverdue(target string, timeout time.Duration, now time.Time) bool {
	if timeout <= 0 || !w.isRestarting(target, now) {
		return false
	}
	pods := time.Duration(1)
	for _, n := range w.Sidecars {
		pods += time.Duration(n)
	}
	progress := w.Restart.At
	if w.Progressed.After(progress) {
		progress = w.Progressed
	}
	return now.Sub(progress) > timeout || now.Sub(w.Restart.At) > pods*timeout
}

// isReplacingLastPod reports whether the workload was restarted for target and has no other sidecars left, but is not ready: a pod is missing, or not ready.
func (w Workload) isReplacingLastPod(target string, limits Limits, now time.Time) bool {
	return w.isRestarting(target, now) && w.Held == "" && !w.isOutdated(target, limits) && (limits.Include == nil || limits.Include(w))
}

// slots is how many of all slots they use. Those of a single namespace use half of them at most, so that other namespaces can show whether the
// revision is the cause.
func (o overdue) slots(limits Limits) int {
	switch {
	case o.excused:
		return 0
	case len(o.namespaces) == 1:
		return min(len(o.refs), limits.slots()/2)
	}
	return len(o.refs)
}

// addInProgress adds a restarted workload that is not ready. upToDate is true if all its sidecars are of the target revision.
func (w *Wave) addInProgress(load Workload, limits Limits, upToDate bool) {
	if w.late.refs[load.Ref] && (w.late.excused || upToDate) {
		w.Blocked = append(w.Blocked, Note{load.Ref, fmt.Sprintf("it was restarted, and its pods are not all ready after %s", limits.Timeout)})
		return
	}
	w.InProgress = append(w.InProgress, load.Ref)
}

// isUnawaited reports whether the workload is not ready, and the upgrade does not wait for it: nobody restarted it, and none of its pods has become ready for
// the timeout, or it is overdue after its restart.
func (w *Wave) isUnawaited(load Workload, limits Limits, now time.Time) bool {
	switch {
	case load.Ready || limits.Timeout <= 0:
		return false
	case load.isRestarting(w.Target, now):
		return w.late.refs[load.Ref] && (w.late.excused || !load.isOutdated(w.Target, limits))
	}
	return now.Sub(load.Progressed) > limits.Timeout
}

// addWithoutRoom adds an outdated workload that cannot be upgraded because too many others of its namespace are not ready. It waits for those that are
// restarting. Others may never be ready, and must not stop the upgrade of the mesh.
func (w *Wave) addWithoutRoom(load Workload, limits Limits, reason string) {
	if !w.isStuck {
		w.addWaiting(load, reason)
		return
	}
	w.requeueAfter(blockedRetry)
	w.Blocked = append(w.Blocked, Note{load.Ref, fmt.Sprintf("as many workloads of the namespace as maxUnavailable allows are not ready, for longer than %s", limits.Timeout)})
}
