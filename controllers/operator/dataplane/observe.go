package dataplane

import (
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/openservicemesh/osm-operator/internal/names"
	"github.com/openservicemesh/osm-operator/internal/rollout"
)

// disabled is the value of names.RestartLabel that keeps a workload from being restarted.
const disabled = "disabled"

// seen is what was read of a cluster.
type seen struct {
	pods []corev1.Pod
	// states are those of Deployments, StatefulSets and DaemonSets.
	states  map[rollout.Ref]state
	budgets []policyv1.PodDisruptionBudget
	// optedOut are the namespaces whose workloads are not restarted.
	optedOut map[string]bool
	now      time.Time
}

// workloads makes one element for each thing that owns pods with sidecars, sorted.
func (s seen) workloads() []rollout.Workload {
	found := map[rollout.Ref]*rollout.Workload{}
	for i := range s.pods {
		pod := &s.pods[i]
		if !live(pod) {
			continue
		}
		ref := ownerOf(pod)
		w := found[ref]
		if w == nil {
			fresh := s.workload(ref)
			w = &fresh
			found[ref] = w
		}
		revision := pod.Labels[names.RevisionLabel]
		w.Sidecars[revision]++
		ready, since := readiness(pod)
		if starting(pod, s.now) {
			w.Starting = counted(w.Starting, revision)
		}
		w.Settled = w.Settled && ready
		if since.After(w.ReadySince) {
			w.ReadySince = since
		}
	}
	var list []rollout.Workload
	for _, w := range found {
		if !w.Settled {
			w.ReadySince = time.Time{}
		}
		list = append(list, *w)
	}
	slices.SortFunc(list, func(a, b rollout.Workload) int { return a.Ref.Compare(b.Ref) })
	return list
}

// workload begins with what the workload's own object says. What has none that can be restarted is judged by its pods.
func (s seen) workload(ref rollout.Ref) rollout.Workload {
	w := rollout.Workload{Ref: ref, Sidecars: map[string]int{}, Settled: true, OptedOut: s.optedOut[ref.Namespace]}
	state, known := s.states[ref]
	if !known {
		if ref.Restartable() {
			// Pods outlive their workload for a moment, or its object has not been seen yet.
			w.Settled = false
		}
		return w
	}
	w.Settled, w.OnDelete = state.settled, state.onDelete
	w.OptedOut = w.OptedOut || state.own[names.RestartLabel] == disabled
	w.Restart = parseRestart(state.restart)
	w.Blocked = s.blocking(ref.Namespace, state.labels)
	return w
}

// blocking names a budget that allows no disruption of pods with these labels now; empty when none forbids it.
func (s seen) blocking(namespace string, podLabels map[string]string) string {
	for i := range s.budgets {
		budget := &s.budgets[i]
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

// live says whether a pod runs, or is about to.
func live(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp == nil && pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed
}

// readiness says whether a pod is ready, and since when.
func readiness(pod *corev1.Pod) (bool, time.Time) {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			return true, c.LastTransitionTime.Time
		}
	}
	return false, time.Time{}
}

// Count counts the sidecars of workloads by revision, and those that are not of the revision that is wanted in their namespace.
func Count(workloads []rollout.Workload, wanted func(namespace string) string) (byRevision map[string]int, outdated int) {
	byRevision = map[string]int{}
	for _, w := range workloads {
		for revision, n := range w.Sidecars {
			byRevision[revision] += n
			if revision != wanted(w.Ref.Namespace) {
				outdated += n
			}
		}
	}
	maps.DeleteFunc(byRevision, func(_ string, n int) bool { return n == 0 })
	return byRevision, outdated
}

// formatRestart writes a restart as the annotation holds it; parseRestart reads it. What somebody else wrote is no restart.
func formatRestart(r rollout.Restart) string {
	text := r.Revision + " " + r.At.UTC().Format(time.RFC3339)
	if r.Again {
		text += " " + again
	}
	return text
}

// again is the last word of the annotation of a second restart.
const again = "again"

func parseRestart(text string) rollout.Restart {
	words := strings.Fields(text)
	if len(words) != 2 && (len(words) != 3 || words[2] != again) {
		return rollout.Restart{}
	}
	at, err := time.Parse(time.RFC3339, words[1])
	if err != nil {
		return rollout.Restart{}
	}
	return rollout.Restart{Revision: words[0], At: at, Again: len(words) == 3}
}
