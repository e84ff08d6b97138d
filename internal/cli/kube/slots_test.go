package kube_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/internal/cli/kube"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// TestSidecarIsReady has pods with one sidecar and with two slots. The kubelet calls a slot started as soon as its launcher runs.
func TestSidecarIsReady(t *testing.T) {
	running := func(name string) corev1.ContainerStatus {
		return corev1.ContainerStatus{Name: name, Started: ptr.To(true), State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}
	}
	waiting := func(name string) corev1.ContainerStatus {
		return corev1.ContainerStatus{Name: name, Started: ptr.To(false), State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}}
	}
	ended := func(code int32) corev1.ContainerStatus {
		return corev1.ContainerStatus{Name: names.WaitContainer, State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code}}}
	}
	const one, two = names.SidecarContainer, names.StandbyContainer
	for name, test := range map[string]struct {
		slots    bool
		statuses []corev1.ContainerStatus
		want     bool
	}{
		"one, started":                  {false, []corev1.ContainerStatus{running(one)}, true},
		"one, not started":              {false, []corev1.ContainerStatus{waiting(one)}, false},
		"no Envoy has served yet":       {true, []corev1.ContainerStatus{running(one), running(two), running(names.WaitContainer)}, false},
		"one slot serves":               {true, []corev1.ContainerStatus{running(one), running(two), ended(0)}, true},
		"the second slot took over":     {true, []corev1.ContainerStatus{waiting(one), running(two), ended(0)}, true},
		"none runs":                     {true, []corev1.ContainerStatus{waiting(one), waiting(two), ended(0)}, false},
		"the container that waits ends": {true, []corev1.ContainerStatus{running(one), running(two), ended(1)}, false},
	} {
		pod := podOf(test.slots)
		pod.Status.InitContainerStatuses = test.statuses
		if got := kube.IsSidecarReady(pod); got != test.want {
			t.Errorf("%s: ready = %t", name, got)
		}
	}
}

// podOf has one sidecar or two slots.
func podOf(slots bool) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-0"}}
	always := ptr.To(corev1.ContainerRestartPolicyAlways)
	pod.Spec.InitContainers = []corev1.Container{{Name: names.InitContainer}, {Name: names.SidecarContainer, RestartPolicy: always}}
	if slots {
		pod.Spec.InitContainers = append(pod.Spec.InitContainers, corev1.Container{Name: names.StandbyContainer, RestartPolicy: always}, corev1.Container{Name: names.WaitContainer})
	}
	return pod
}

// TestLogsOfBothSlots has a pod of each kind, and one with a container that is only named like a slot.
func TestLogsOfBothSlots(t *testing.T) {
	forged := podOf(false)
	forged.Spec.InitContainers = append(forged.Spec.InitContainers, corev1.Container{Name: names.StandbyContainer})
	for _, pod := range []*corev1.Pod{podOf(false), forged} {
		if got := kube.LogsCommand(pod); got != "kubectl -n shop logs web-0 -c envoy" || len(kube.Slots(pod)) > 0 {
			t.Errorf("the command is %q, the slots are %v", got, kube.Slots(pod))
		}
	}
	if got := kube.LogsCommand(podOf(true)); !strings.HasSuffix(got, "-c envoy, and the same with -c envoy-standby") {
		t.Errorf("the command is %q", got)
	}
}
