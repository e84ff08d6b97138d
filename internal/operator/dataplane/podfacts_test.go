package dataplane

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

// only returns the only workload of an observation.
func only(t *testing.T, o observation) rollout.Workload {
	t.Helper()
	o.now = noon.Add(time.Hour)
	workloads := o.workloads()
	if len(workloads) != 1 {
		t.Fatalf("the workloads are %+v, want one", workloads)
	}
	return workloads[0]
}

// Pods that have ended, or are about to, say nothing about the ones after them.
func TestPodsThatHaveEndedDoNotCount(t *testing.T) {
	failed := func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }
	w := only(t, observation{pods: []corev1.Pod{pod("db-0", "old", "StatefulSet", "db", failed), pod("db-1", "old", "StatefulSet", "db")}})
	if diff := cmp.Diff(map[string]int{"old": 1}, w.Sidecars); diff != "" {
		t.Errorf("the sidecars (-want +got):\n%s", diff)
	}
}

// A workload is ready since its last pod became ready, in whichever order the pods are listed.
func TestReadySinceTheLastPod(t *testing.T) {
	since := func(minutes int) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Status.Conditions[0].LastTransitionTime = metav1.NewTime(noon.Add(time.Duration(minutes) * time.Minute))
		}
	}
	w := only(t, observation{pods: []corev1.Pod{pod("a", "old", "Job", "x", since(5)), pod("b", "old", "Job", "x", since(3))}})
	if want := noon.Add(5 * time.Minute); !w.ReadySince.Equal(want) {
		t.Errorf("the workload is ready since %s, want %s", w.ReadySince, want)
	}
}

// A pod is ready by its condition Ready only.
func TestOtherConditionsAreNoReadiness(t *testing.T) {
	scheduled := corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(noon)}
	p := pod("a", "old", "", "", func(p *corev1.Pod) { p.Status.Conditions = []corev1.PodCondition{scheduled} })
	if ready, since := readiness(&p); ready || !since.IsZero() {
		t.Errorf("a scheduled pod is ready: %t, since %s", ready, since)
	}
}

// All pods on lost nodes are counted, and marked if they have slots. Pods are sorted by name.
func TestPodsOnLostNodes(t *testing.T) {
	lost := func(p *corev1.Pod) { p.Spec.NodeName = "gone" }
	unready := func(p *corev1.Pod) { p.Status.Conditions[0].Status = corev1.ConditionFalse }
	w := only(t, observation{lostNodes: map[string]bool{"gone": true}, pods: []corev1.Pod{
		pod("c", "old", "Job", "x", withSlots, unready), pod("b", "old", "Job", "x", withSlots, lost),
		pod("single", "old", "Job", "x", lost), pod("a", "old", "Job", "x", withSlots),
	}})
	type slots struct {
		Pod           string
		Lost, Unready bool
	}
	var got []slots
	for _, p := range w.Slotted {
		got = append(got, slots{p.Pod, p.Lost, p.Unready})
	}
	if diff := cmp.Diff([]slots{{"a", false, false}, {"b", true, false}, {"c", false, true}}, got); diff != "" || w.Lost["old"] != 2 {
		t.Errorf("%d lost pods, and pods with slots (-want +got):\n%s", w.Lost["old"], diff)
	}
}

// A restarted workload that has no pods at the moment is ready since its rollout ended.
func TestReadinessWithoutPods(t *testing.T) {
	ref := rollout.Ref{Kind: "Deployment", Namespace: "shop", Name: "web"}
	s := state{progress: progress{complete: true}, rolledOut: noon, onDelete: true}
	w := only(t, observation{states: map[rollout.Ref]state{ref: s}, restarted: []rollout.Ref{ref}})
	if !w.Ready || !w.ReadySince.Equal(noon) || !w.OnDelete {
		t.Errorf("the workload is %+v, want one that is ready since %s and does not replace its pods", w, noon)
	}
}
