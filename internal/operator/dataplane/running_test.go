package dataplane

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/internal/certificate/preflight"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

func TestRunningSidecars(t *testing.T) {
	running := func(name string, change func(*corev1.Pod)) *corev1.Pod {
		p := pod(name, "osm-v0-2-0", "", "")
		p.Status.Phase = corev1.PodRunning
		p.Spec.ServiceAccountName = "seller"
		if change != nil {
			change(&p)
		}
		cached, err := strip(&p)
		if err != nil {
			t.Fatal(err)
		}
		return cached.(*corev1.Pod)
	}
	plane := planeOf(
		namespace("shop", "osm"), namespace("other", "other"), running("web", nil), running("api", nil),
		running("starting", func(p *corev1.Pod) { p.Status.Phase = corev1.PodPending }),
		running("done", func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }),
		running("ending", func(p *corev1.Pod) {
			p.DeletionTimestamp, p.Finalizers = &metav1.Time{Time: noon}, []string{"example.org/held"}
		}),
		running("bare", func(p *corev1.Pod) { p.Spec.InitContainers = nil }),
		running("other", func(p *corev1.Pod) { p.Namespace = "other" }),
	)
	got, err := plane.RunningSidecars(t.Context(), "osm")
	account := identity.ServiceAccount{Namespace: "shop", Name: "seller"}
	if want := []preflight.Sidecar{{Name: "shop/api", Account: account}, {Name: "shop/web", Account: account}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("running are %v (%v), want %v", got, err, want)
	}
}
