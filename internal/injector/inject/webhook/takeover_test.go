package webhook

import (
	"encoding/json"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// TestSidecarOfOSMStaysDuringATakeover reviews a pod that OSM's injector has just changed, and a copy of such a pod.
func TestSidecarOfOSMStaysDuringATakeover(t *testing.T) {
	for name, test := range map[string]struct {
		takesOver bool
		label     string
		injected  bool
	}{
		"during a takeover":  {true, "0e39e8d4", false},
		"without a takeover": {false, "0e39e8d4", true},
		"a copy":             {true, "", true},
		"another UUID":       {true, "11111111", true},
	} {
		pod := &corev1.Pod{}
		pod.Name = "x"
		if test.label != "" {
			pod.Labels = map[string]string{names.ProxyUUIDLabel: test.label}
		}
		pod.Spec.Containers = []corev1.Container{
			{Name: "app", Image: "app"},
			{Name: names.SidecarContainer, Image: "envoy", VolumeMounts: []corev1.VolumeMount{{Name: names.BootstrapVolume, MountPath: "/etc/envoy"}}},
		}
		pod.Spec.Volumes = []corev1.Volume{{Name: names.BootstrapVolume, VolumeSource: corev1.VolumeSource{
			Secret: &corev1.SecretVolumeSource{SecretName: "envoy-bootstrap-config-0e39e8d4"},
		}}}
		raw, err := json.Marshal(pod)
		if err != nil {
			t.Fatal(err)
		}
		cluster := newMemberCluster()
		cluster.takesOver = test.takesOver
		answer := sendReview(t, cluster, review(t, func(r *admissionv1.AdmissionReview) { r.Request.Object.Raw = raw }))
		if !answer.Allowed || len(answer.Patch) > 0 != test.injected {
			t.Errorf("%s: allowed %t, a patch %t, want a patch %t", name, answer.Allowed, len(answer.Patch) > 0, test.injected)
		}
	}
}
