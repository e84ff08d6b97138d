package client

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// A policy is in force when the sidecars of all control planes have it. The replicas of a canary are asked too.
func TestReplicasOfAllControlPlanesAreFound(t *testing.T) {
	pod := func(namespace, name, app string, phase corev1.PodPhase) *corev1.Pod {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
		if app != "" {
			p.Labels = map[string]string{names.AppLabel: app}
		}
		p.Status = corev1.PodStatus{Phase: phase, PodIPs: []corev1.PodIP{{IP: "fd00::7"}}}
		return p
	}
	reader := fake.NewClientBuilder().WithObjects(
		pod("osm-system", "b", names.Controller, corev1.PodRunning),
		pod("osm-system", "a", names.WithSuffix(names.Controller, "v0-2-0"), corev1.PodRunning),
		pod("osm-system", "starting", names.Controller, corev1.PodPending),
		pod("osm-system", "injector", names.WithSuffix(names.Injector, "v0-2-0"), corev1.PodRunning),
		pod("osm-system", "grafana", "grafana", corev1.PodRunning),
		pod("osm-system", "bare", "", corev1.PodRunning),
		pod("other-system", "c", names.Controller, corev1.PodRunning),
	).Build()
	got, err := Pods(reader, "osm-system")(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []Replica{{Name: "a", Address: "[fd00::7]:9094"}, {Name: "b", Address: "[fd00::7]:9094"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("replicas (-want +got):\n%s", diff)
	}
}
