package inject

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

func TestDelayStop(t *testing.T) {
	for _, test := range []struct {
		name   string
		policy corev1.RestartPolicy
		grace  *int64
		want   int64
	}{
		{"no grace period", "", nil, 5},
		{"usual", corev1.RestartPolicyAlways, new(int64(30)), 5},
		{"short", corev1.RestartPolicyAlways, new(int64(5)), 2},
		{"of two seconds", corev1.RestartPolicyAlways, new(int64(2)), 1},
		{"of one second", corev1.RestartPolicyAlways, new(int64(1)), 0},
		{"of zero seconds", corev1.RestartPolicyAlways, new(int64(0)), 0},
		{"a Job", corev1.RestartPolicyNever, new(int64(30)), 0},
		{"a Job that repeats", corev1.RestartPolicyOnFailure, new(int64(30)), 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			pod := &corev1.Pod{Spec: corev1.PodSpec{RestartPolicy: test.policy, TerminationGracePeriodSeconds: test.grace, Containers: []corev1.Container{{Name: "app"}}}}
			delayStop(pod)
			var got int64
			if hooks := pod.Spec.Containers[0].Lifecycle; hooks != nil {
				got = hooks.PreStop.Sleep.Seconds
			}
			if got != test.want {
				t.Errorf("the kubelet waits %d s, want %d", got, test.want)
			}
		})
	}
}

// TestDelayStop_KeepsHooks requires that an own preStop hook stays the only one, and that a postStart hook is kept.
func TestDelayStop_KeepsHooks(t *testing.T) {
	command := &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{"stop"}}}
	pod := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{
		{Name: "stops", Lifecycle: &corev1.Lifecycle{PreStop: command}}, {Name: "starts", Lifecycle: &corev1.Lifecycle{PostStart: command}},
	}}}
	delayStop(pod)
	want := []*corev1.Lifecycle{{PreStop: command}, {PostStart: command, PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: stopDelay}}}}
	if diff := cmp.Diff(want, []*corev1.Lifecycle{pod.Spec.Containers[0].Lifecycle, pod.Spec.Containers[1].Lifecycle}); diff != "" {
		t.Errorf("hooks (-want +got):\n%s", diff)
	}
}
