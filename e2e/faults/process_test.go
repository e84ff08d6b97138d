package faults

import (
	"errors"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/e2e/lab"
)

// signal sends a signal to all processes of a container in pods.
func signal(t *testing.T, pods []corev1.Pod, container string, number syscall.Signal) {
	t.Helper()
	for _, pod := range pods {
		pids, err := lab.Processes(pod, container)
		lab.Must(t, err)
		for _, pid := range pids {
			if err := syscall.Kill(pid, number); err != nil && !errors.Is(err, syscall.ESRCH) {
				t.Fatalf("signal %d to process %d of pod %s: %v", number, pid, pod.Name, err)
			}
		}
	}
}

// stopAndContinue stops the processes of a container, and returns a function that continues them. A container that was replaced meanwhile is
// left alone.
func stopAndContinue(t *testing.T, pods []corev1.Pod, container string) (end func()) {
	t.Helper()
	var stopped []int
	for _, pod := range pods {
		pids, err := lab.Processes(pod, container)
		lab.Must(t, err)
		stopped = append(stopped, pids...)
	}
	resume := func() {
		for _, pid := range stopped {
			_ = syscall.Kill(pid, syscall.SIGCONT)
		}
	}
	t.Cleanup(resume)
	signal(t, pods, container, syscall.SIGSTOP)
	return resume
}
