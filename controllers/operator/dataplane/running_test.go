package dataplane

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestRunningSidecars(t *testing.T) {
	running := func(name string, change func(*corev1.Pod)) *corev1.Pod {
		p := pod(name, "osm-v0-2-0", "", "")
		p.Status.Phase = corev1.PodRunning
		if change != nil {
			change(&p)
		}
		return &p
	}
	plane := planeOf(
		namespace("shop", "osm"), namespace("other", "other"), running("web", nil), running("api", nil),
		running("starting", func(p *corev1.Pod) { p.Status.Phase = corev1.PodPending }),
		running("done", func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }),
		running("ending", func(p *corev1.Pod) {
			p.DeletionTimestamp, p.Finalizers = &metav1.Time{Time: noon}, []string{"example.org/held"}
		}),
		running("bare", func(p *corev1.Pod) { p.Spec.InitContainers = nil }),
		running("foreign", func(p *corev1.Pod) { p.Namespace = "other" }),
	)
	got, err := plane.RunningSidecars(t.Context(), "osm")
	if want := []string{"shop/api", "shop/web"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("running are %v (%v), want %v", got, err, want)
	}
}
