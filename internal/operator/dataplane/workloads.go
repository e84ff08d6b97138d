package dataplane

import (
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// restartDisabled is the value of names.RestartLabel that keeps a workload from being restarted.
const restartDisabled = "disabled"

// observation is the part of a cluster that workloads are computed from.
type observation struct {
	// pods are those with sidecars.
	pods []corev1.Pod
	// states are those of Deployments, StatefulSets and DaemonSets.
	states map[rollout.Ref]state
	// restarted are the workloads that were restarted for a revision of the mesh, with or without pods.
	restarted []rollout.Ref
	budgets   []policyv1.PodDisruptionBudget
	// optedOut holds the namespaces whose workloads are not restarted.
	optedOut map[string]bool
	now      time.Time
}

// workloads returns one workload for each owner of pods, sorted.
func (o observation) workloads() []rollout.Workload {
	found := map[rollout.Ref]*rollout.Workload{}
	for i := range o.pods {
		pod := &o.pods[i]
		if !isActive(pod) {
			continue
		}
		ref := WorkloadOf(pod)
		w := found[ref]
		if w == nil {
			added := o.workload(ref)
			w = &added
			found[ref] = w
		}
		revision := revisionOf(pod)
		w.Sidecars[revision]++
		ready, since := readiness(pod)
		if isStarting(pod, o.now) {
			if w.Starting == nil {
				w.Starting = map[string]int{}
			}
			w.Starting[revision]++
		}
		w.Ready = w.Ready && ready
		if since.After(w.ReadySince) {
			w.ReadySince = since
		}
	}
	for _, ref := range o.restarted {
		if found[ref] == nil {
			absent := o.workload(ref)
			absent.ReadySince = o.states[ref].rolledOut
			found[ref] = &absent
		}
	}
	var list []rollout.Workload
	for _, w := range found {
		if !w.Ready {
			w.ReadySince = time.Time{}
		}
		list = append(list, *w)
	}
	slices.SortFunc(list, func(a, b rollout.Workload) int { return a.Ref.Compare(b.Ref) })
	return list
}

// workload returns a workload as its own object describes it. A workload that cannot be restarted is described by its pods alone.
func (o observation) workload(ref rollout.Ref) rollout.Workload {
	w := rollout.Workload{Ref: ref, Sidecars: map[string]int{}, Ready: true, OptedOut: o.optedOut[ref.Namespace]}
	state, known := o.states[ref]
	if !known {
		if ref.Restartable() {
			// The object was deleted before its pods, or the cache does not hold it yet.
			w.Ready = false
		}
		return w
	}
	w.Ready, w.OnDelete = state.complete, state.onDelete
	w.OptedOut = w.OptedOut || state.labels[names.RestartLabel] == restartDisabled
	w.Restart = parseRestart(state.restart)
	w.Blocked = o.blockingBudget(ref.Namespace, state.podLabels)
	return w
}

// blockingBudget names a PodDisruptionBudget that allows no disruption of pods with these labels now, or is empty.
func (o observation) blockingBudget(namespace string, podLabels map[string]string) string {
	for i := range o.budgets {
		budget := &o.budgets[i]
		if budget.Namespace != namespace || budget.Status.DisruptionsAllowed > 0 || budget.Status.ExpectedPods == 0 {
			continue
		}
		selector, err := metav1.LabelSelectorAsSelector(budget.Spec.Selector)
		if err == nil && !selector.Empty() && selector.Matches(labels.Set(podLabels)) {
			return budget.Name
		}
	}
	return ""
}

// isActive reports whether a pod is running or starting.
func isActive(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp == nil && pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed
}

// readiness reports whether a pod is ready, and since when.
func readiness(pod *corev1.Pod) (bool, time.Time) {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			return true, c.LastTransitionTime.Time
		}
	}
	return false, time.Time{}
}

// CountSidecars counts sidecars by revision, and those whose revision is not the desired one of their namespace.
func CountSidecars(workloads []rollout.Workload, desired func(namespace string) string) (byRevision map[string]int, outdated int) {
	byRevision = map[string]int{}
	for _, w := range workloads {
		for revision, n := range w.Sidecars {
			byRevision[revision] += n
			if revision != desired(w.Ref.Namespace) {
				outdated += n
			}
		}
	}
	maps.DeleteFunc(byRevision, func(_ string, n int) bool { return n == 0 })
	return byRevision, outdated
}
