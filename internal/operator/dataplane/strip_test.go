package dataplane

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// What the cache keeps of workloads is little: a cluster has thousands of them.
func TestCacheKeepsLittleOfWorkloads(t *testing.T) {
	restart := map[string]string{names.RestartAnnotation: "osm-v0-2-0 2026-11-20T12:00:00Z"}
	whole := metav1.ObjectMeta{
		Name: "web", Labels: map[string]string{"app": "web"}, Annotations: map[string]string{"other": "large"},
		ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubectl"}},
	}
	kept := metav1.ObjectMeta{Name: "web", Labels: whole.Labels}
	template := func() corev1.PodTemplateSpec {
		return corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}, Annotations: map[string]string{
				"other": "large", names.RestartAnnotation: restart[names.RestartAnnotation],
			}},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app"}}},
		}
	}
	keptTemplate := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}, Annotations: restart}}
	volumes := []corev1.PersistentVolumeClaim{{}}
	for _, test := range []struct{ whole, kept client.Object }{
		{
			&appsv1.Deployment{ObjectMeta: whole, Spec: appsv1.DeploymentSpec{Replicas: ptr.To[int32](2), Template: template()}},
			&appsv1.Deployment{ObjectMeta: kept, Spec: appsv1.DeploymentSpec{Replicas: ptr.To[int32](2), Template: keptTemplate}},
		},
		{
			&appsv1.StatefulSet{ObjectMeta: whole, Spec: appsv1.StatefulSetSpec{VolumeClaimTemplates: volumes, Template: template()}},
			&appsv1.StatefulSet{ObjectMeta: kept, Spec: appsv1.StatefulSetSpec{Template: keptTemplate}},
		},
		{
			&appsv1.DaemonSet{ObjectMeta: whole, Spec: appsv1.DaemonSetSpec{Template: template()}},
			&appsv1.DaemonSet{ObjectMeta: kept, Spec: appsv1.DaemonSetSpec{Template: keptTemplate}},
		},
	} {
		if got, err := strip(test.whole); err != nil || cmp.Diff(test.kept, got) != "" {
			t.Errorf("of a %T the cache keeps (%v, -want +got):\n%s", test.whole, err, cmp.Diff(test.kept, got))
		}
	}
}

// Of pods, it keeps the containers of the sidecar, and whether they are ready.
func TestCacheKeepsLittleOfPods(t *testing.T) {
	whole := &corev1.Pod{
		Spec: corev1.PodSpec{
			NodeName: "a", HostNetwork: true, Volumes: []corev1.Volume{{}},
			Containers:     []corev1.Container{{Name: "app"}, {Name: names.SidecarContainer, Image: "envoy:1", Command: []string{"envoy"}}},
			InitContainers: []corev1.Container{{Name: names.InitContainer, Image: "init:1"}, {Name: "app"}, {Name: names.StandbyContainer}},
		},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, HostIP: "192.0.2.1",
			Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled}, {Type: corev1.PodReady}},
		},
	}
	kept := &corev1.Pod{
		Spec: corev1.PodSpec{
			NodeName:       "a",
			Containers:     []corev1.Container{{Name: names.SidecarContainer, Image: "envoy:1"}},
			InitContainers: []corev1.Container{{Name: names.InitContainer, Image: "init:1"}, {Name: names.StandbyContainer}},
		},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady}}},
	}
	if got, err := strip(whole); err != nil || cmp.Diff(kept, got) != "" {
		t.Errorf("the cache keeps (%v, -want +got):\n%s", err, cmp.Diff(kept, got))
	}
}

// A container that has ended and waits for its next start has started, although its status does not count that so far.
func TestCacheKeepsStarts(t *testing.T) {
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	ended := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1}}
	waiting := corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}
	for name, test := range map[string]struct {
		status   corev1.ContainerStatus
		restarts int32
	}{
		"runs":                          {corev1.ContainerStatus{State: running}, 0},
		"runs again":                    {corev1.ContainerStatus{State: running, RestartCount: 3}, 3},
		"waits for its first start":     {corev1.ContainerStatus{State: waiting}, 0},
		"waits for its second start":    {corev1.ContainerStatus{State: waiting, LastTerminationState: ended}, 1},
		"waits, and is counted already": {corev1.ContainerStatus{State: waiting, RestartCount: 3, LastTerminationState: ended}, 3},
		"has ended":                     {corev1.ContainerStatus{State: ended}, 1},
	} {
		test.status.Name = names.SidecarContainer
		other := test.status
		other.Name = "app"
		kept := startOnly(corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{other, test.status}})
		if len(kept) != 1 || kept[0].Name != names.SidecarContainer || kept[0].RestartCount != test.restarts || hasStarted(kept[0]) != hasStarted(test.status) {
			t.Errorf("of a container that %s the cache keeps %+v, want %d restarts", name, kept, test.restarts)
		}
	}
}
