package ingest

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// TestContainerOfTheSameNameIsNoSidecar reads pods whose author chose the names of containers and labels.
func TestContainerOfTheSameNameIsNoSidecar(t *testing.T) {
	sidecar := corev1.Container{Name: names.SidecarContainer, RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways)}
	for name, test := range map[string]struct {
		spec          corev1.PodSpec
		injected, osm bool
	}{
		"the sidecar":            {corev1.PodSpec{InitContainers: []corev1.Container{{Name: "osm-init"}, sidecar}}, true, false},
		"an init container":      {corev1.PodSpec{InitContainers: []corev1.Container{{Name: names.SidecarContainer}}}, false, false},
		"another native sidecar": {corev1.PodSpec{InitContainers: []corev1.Container{{Name: "log", RestartPolicy: sidecar.RestartPolicy}}}, false, false},
		"an application":         {corev1.PodSpec{Containers: []corev1.Container{{Name: "app"}}}, false, false},
		"the sidecar of OSM":     {corev1.PodSpec{Containers: []corev1.Container{{Name: names.SidecarContainer}}}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{names.ProxyUUIDLabel: "1"}}, Spec: test.spec}
			for what, read := range map[string]*corev1.Pod{"the pod": pod, "its copy in the cache": StripPod(pod)} {
				if entry := Pod(read); entry.Injected != test.injected || entry.OSMSidecar != test.osm {
					t.Errorf("%s: injected = %t, OSM's sidecar = %t, want %t and %t", what, entry.Injected, entry.OSMSidecar, test.injected, test.osm)
				}
			}
		})
	}
}
