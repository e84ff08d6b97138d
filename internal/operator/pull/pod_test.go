package pull

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/podsecurity"
)

func TestPodsThatPullNeedNoPrivileges(t *testing.T) {
	pod := image.pod(osm, "one", nil)
	reasons, err := podsecurity.Violations(pod.Spec)
	if err != nil || len(reasons) > 0 {
		t.Errorf("violations: %q, %v", reasons, err)
	}
	if pod.Spec.AutomountServiceAccountToken == nil || *pod.Spec.AutomountServiceAccountToken {
		t.Error("the pods have a token")
	}
	if pod.Spec.InitContainers[0].Image != image.Reference || pod.Spec.Containers[0].Image != image.Init {
		t.Errorf("the images are %s and %s", pod.Spec.InitContainers[0].Image, pod.Spec.Containers[0].Image)
	}
	for _, other := range []*corev1.Pod{(Image{Namespace: image.Namespace, Reference: image.Reference, Init: "init:3"}).pod(osm, "one", nil), image.pod(osm, "two", nil)} {
		if other.Name == pod.Name {
			t.Error("another image or node has the same name")
		}
	}
}

// TestPodsStayOnTheirNode has what the scheduler, autoscalers and tools that drain nodes read.
func TestPodsStayOnTheirNode(t *testing.T) {
	c, p := newCluster(t, "one")
	config := &configv1alpha2.MeshConfig{ObjectMeta: metav1.ObjectMeta{Namespace: image.Namespace, Name: names.MeshConfig, UID: "2"}}
	if err := c.Create(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	c.ask(p, "one")
	pod := ptr.To(c.pods()["one"])
	if nodeOf(pod) != "one" || len(pod.Spec.Tolerations) != 1 || pod.Spec.Tolerations[0].Operator != corev1.TolerationOpExists {
		t.Errorf("the pod has the affinity %+v and the tolerations %+v", pod.Spec.Affinity, pod.Spec.Tolerations)
	}
	if owner := metav1.GetControllerOf(pod); owner == nil || owner.UID != config.UID || pod.Annotations[evictionAnnotation] != "true" {
		t.Errorf("the pod holds up whoever drains its node: owner %+v, annotations %v", owner, pod.Annotations)
	}
	if pod.Labels[names.PullLabel] != osm.Name || pod.Labels[names.AppLabel] != image.app() {
		t.Errorf("the labels are %v", pod.Labels)
	}
}

// TestPodsFitOnFullNodes: slots of pods there have their resources already, and change when their node has the image.
func TestPodsFitOnFullNodes(t *testing.T) {
	spec := image.pod(osm, "one", nil).Spec
	for _, container := range append(spec.InitContainers, spec.Containers...) {
		for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
			// Without a value, that of the limit counts.
			if request, isSet := container.Resources.Requests[name]; !isSet || !request.IsZero() {
				t.Errorf("the container %s requests %s of %s, want 0", container.Name, request.String(), name)
			}
		}
	}
}
