package faults

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// processes returns the processes of a container on this machine.
func processes(pod corev1.Pod, container string) ([]int, error) {
	_, id, _ := strings.Cut(statusOf(pod, container).ContainerID, "://")
	if id == "" {
		return nil, fmt.Errorf("pod %s/%s has no running container %s", pod.Namespace, pod.Name, container)
	}
	files, err := filepath.Glob("/proc/[0-9]*/cgroup")
	if err != nil {
		return nil, err
	}
	var found []int
	for _, file := range files {
		// A process can end while the list is read.
		groups, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(groups), id) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			return nil, err
		}
		found = append(found, pid)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no process of container %s of pod %s/%s runs on this machine", container, pod.Namespace, pod.Name)
	}
	return found, nil
}

// statusOf returns the status of a container of a pod.
func statusOf(pod corev1.Pod, container string) corev1.ContainerStatus {
	for _, status := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if status.Name == container {
			return status
		}
	}
	return corev1.ContainerStatus{}
}

// signal sends a signal to all processes of a container in pods.
func signal(t *testing.T, pods []corev1.Pod, container string, number syscall.Signal) {
	t.Helper()
	for _, pod := range pods {
		pids, err := processes(pod, container)
		must(t, err)
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
		pids, err := processes(pod, container)
		must(t, err)
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
