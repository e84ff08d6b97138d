package takeover

import (
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

var noon = time.Date(2027, 5, 4, 12, 0, 0, 0, time.UTC)

// podOf returns a pod of a controller that was ready after a time.
func podOf(namespace, kind, owner, hash string, startup time.Duration) corev1.Pod {
	pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: owner + "-x", CreationTimestamp: metav1.NewTime(noon), Labels: map[string]string{}}}
	if kind != "" {
		pod.OwnerReferences = []metav1.OwnerReference{{Kind: kind, Name: owner, Controller: ptr.To(true)}}
	}
	if hash != "" {
		pod.Labels["pod-template-hash"] = hash
	}
	if startup > 0 {
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(noon.Add(startup))}}
	}
	return pod
}

func TestSummaryOfWorkloads(t *testing.T) {
	got := summarize(workloadsOf([]corev1.Pod{
		podOf("shop", "ReplicaSet", "web-5d8f", "5d8f", 10*time.Second),
		podOf("shop", "ReplicaSet", "web-5d8f", "5d8f", 20*time.Second),
		podOf("shop", "StatefulSet", "db", "", 0),
		podOf("shop", "Job", "report", "", time.Second),
		podOf("shop", "", "bare", "", time.Second),
		podOf("shop", "ReplicaSet", "alone", "", time.Second),
		podOf("till", "DaemonSet", "agent", "", time.Hour),
	}))
	// In shop: two pods of web, 20 s each, one of db, and a pause after each workload. In till: a pod that counts five minutes, and a pause.
	if want := 5*time.Minute + 30*time.Second; got.Pods != 7 || got.Restarted != 3 || got.Duration != want {
		t.Errorf("%d pods, %d workloads, %s, want 7, 3, %s", got.Pods, got.Restarted, got.Duration, want)
	}
	want := []string{
		"Job shop/report (1 pod): restart or delete its pods yourself",
		"Pod shop/bare-x (1 pod): restart or delete its pods yourself",
		"ReplicaSet shop/alone (1 pod): restart or delete its pods yourself",
	}
	if !slices.Equal(got.Yours, want) {
		t.Errorf("not restarted: %q, want %q", got.Yours, want)
	}
}

// A quarter of the workloads of a namespace restarts at a time.
func TestEstimateOfManyWorkloads(t *testing.T) {
	var group []workload
	for range 8 {
		group = append(group, workload{pods: 1, startup: 10 * time.Second})
	}
	if got, want := estimate(group), 160*time.Second; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
