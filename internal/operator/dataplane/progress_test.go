package dataplane

import (
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

// podsOf returns pods of an owner, of which some are not ready, and some on a node that is not.
func podsOf(kind string, ready, unready, lost int) []corev1.Pod {
	notReady := func(p *corev1.Pod) { p.Status.Conditions[0].Status = corev1.ConditionFalse }
	var pods []corev1.Pod
	add := func(n int, changes ...func(*corev1.Pod)) {
		for range n {
			pods = append(pods, pod(fmt.Sprintf("x-%d", len(pods)), "old", kind, "x", changes...))
		}
	}
	add(ready)
	add(unready, notReady)
	add(lost, notReady, func(p *corev1.Pod) { p.Spec.NodeName = "gone" })
	return pods
}

// TestFewPodsMayBeUnready checks when a workload is ready with pods that are not, or whose nodes are not.
func TestFewPodsMayBeUnready(t *testing.T) {
	daemonSet := func(desired, updated, available int32) client.Object {
		return &appsv1.DaemonSet{Status: appsv1.DaemonSetStatus{DesiredNumberScheduled: desired, UpdatedNumberScheduled: updated, NumberAvailable: available}}
	}
	statefulSet := func(desired, updated, ready int32) client.Object {
		return &appsv1.StatefulSet{
			Spec:   appsv1.StatefulSetSpec{Replicas: ptr.To(desired)},
			Status: appsv1.StatefulSetStatus{Replicas: desired, UpdatedReplicas: updated, ReadyReplicas: ready, UpdateRevision: "2", CurrentRevision: "1"},
		}
	}
	for name, test := range map[string]struct {
		kind                 string
		object               client.Object
		ready, unready, lost int
		want                 bool
	}{
		"a DaemonSet":                                         {"DaemonSet", daemonSet(3, 3, 3), 3, 0, 0, true},
		"a DaemonSet with a lost node":                        {"DaemonSet", daemonSet(3, 2, 2), 2, 0, 1, true},
		"a DaemonSet with a lost node, in the middle":         {"DaemonSet", daemonSet(3, 1, 2), 2, 0, 1, false},
		"a DaemonSet with one pod of three":                   {"DaemonSet", daemonSet(3, 3, 2), 2, 1, 0, false},
		"a DaemonSet with one pod of ten":                     {"DaemonSet", daemonSet(10, 10, 9), 9, 1, 0, true},
		"a DaemonSet with one pod of ten that is behind":      {"DaemonSet", daemonSet(10, 9, 9), 9, 1, 0, false},
		"a DaemonSet with two pods of ten":                    {"DaemonSet", daemonSet(10, 10, 8), 8, 2, 0, false},
		"a StatefulSet with one pod of ten":                   {"StatefulSet", statefulSet(10, 10, 9), 9, 1, 0, true},
		"a StatefulSet in the middle":                         {"StatefulSet", statefulSet(10, 9, 10), 10, 0, 0, false},
		"a StatefulSet with a lost pod":                       {"StatefulSet", statefulSet(3, 2, 2), 2, 0, 1, true},
		"a ReplicaSet of nobody, with one pod of ten":         {"ReplicaSet", nil, 9, 1, 0, true},
		"a ReplicaSet of nobody, with one pod of two":         {"ReplicaSet", nil, 1, 1, 0, false},
		"a DaemonSet whose object is not in the cache so far": {"DaemonSet", nil, 3, 0, 0, false},
	} {
		ref := rollout.Ref{Kind: test.kind, Namespace: "shop", Name: "x"}
		o := observation{pods: podsOf(test.kind, test.ready, test.unready, test.lost), lostNodes: map[string]bool{"gone": true}, states: map[rollout.Ref]state{}, now: noon}
		if test.object != nil {
			o.states[ref] = stateOf(test.object)
		}
		got := o.workloads()
		if len(got) != 1 || got[0].Ready != test.want || got[0].Lost["old"] != test.lost {
			t.Errorf("%s: %+v, want ready %t", name, got, test.want)
		}
	}
	paused := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Generation: 2}, Spec: appsv1.DeploymentSpec{Replicas: ptr.To[int32](20), Paused: true},
		Status: appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 20, UpdatedReplicas: 3, AvailableReplicas: 19},
	}
	ref := rollout.Ref{Kind: "Deployment", Namespace: "shop", Name: "x"}
	o := observation{pods: podsOf("ReplicaSet", 19, 1, 0), states: map[rollout.Ref]state{ref: stateOf(paused)}, now: noon}
	for i := range o.pods {
		hash("5c")(&o.pods[i])
		o.pods[i].OwnerReferences[0].Name = "x-5c"
	}
	if got := o.workloads(); len(got) != 1 || got[0].Ready || got[0].Held != onDeleteText {
		t.Errorf("a paused Deployment in the middle: %+v", got)
	}
}
