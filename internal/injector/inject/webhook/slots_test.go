package webhook

import (
	"encoding/json"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// TestOldKubeletsGetPodsWithOneSlot reviews a pod in a mesh whose sidecars are upgraded in place.
func TestOldKubeletsGetPodsWithOneSlot(t *testing.T) {
	for old, want := range map[bool]int{false: 2, true: 1} {
		cluster := newMemberCluster()
		cluster.oldKubelets = old
		handler := testHandler(cluster)
		handler.Config.InPlace, handler.Config.SlotsLevel = true, 1
		pod := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "app"}}}}
		pod.Name = "web"
		raw, err := json.Marshal(pod)
		if err != nil {
			t.Fatal(err)
		}
		body := review(t, func(r *admissionv1.AdmissionReview) { r.Request.Object.Raw = raw })
		metrics, _ := testMetrics(t)
		answer := &admissionv1.AdmissionReview{}
		if err := json.Unmarshal(post(t, NewServeMux(handler, metrics), body).Body.Bytes(), answer); err != nil {
			t.Fatal(err)
		}
		injected, _ := patched(t, body, answer.Response)
		slots := 0
		for _, c := range injected.Spec.InitContainers {
			if names.IsSlot(c.Name) {
				slots++
			}
		}
		if slots != want {
			t.Errorf("with old kubelets (%t) the pod has %d slots, want %d", old, slots, want)
		}
	}
}
