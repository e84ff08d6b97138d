package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Processes returns the processes of a container of the local cluster, which run on this machine.
func Processes(pod corev1.Pod, container string) ([]int, error) {
	_, id, _ := strings.Cut(ContainerStatus(pod, container).ContainerID, "://")
	if id == "" {
		return nil, fmt.Errorf("pod %s/%s has no running container %s", pod.Namespace, pod.Name, container)
	}
	found, err := processesOf(id)
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("no process of container %s of pod %s/%s runs on this machine", container, pod.Namespace, pod.Name)
	}
	return found, err
}

// Program returns the processes of a program in a container of the local cluster. An empty container is the sandbox of the pod, with all of its containers.
func Program(pod corev1.Pod, container, program string) ([]int, error) {
	found, err := processesOf(string(pod.UID))
	if container != "" {
		found, err = Processes(pod, container)
	}
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(pid int) bool {
		name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		return err != nil || strings.TrimSpace(string(name)) != program
	})
	if len(found) == 0 {
		return nil, fmt.Errorf("%s does not run in pod %s/%s, container %q", program, pod.Namespace, pod.Name, container)
	}
	return found, nil
}

// processesOf returns the processes whose control group has an ID.
func processesOf(id string) ([]int, error) {
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
	return found, nil
}

// ContainerStatus returns the status of a container of a pod.
func ContainerStatus(pod corev1.Pod, container string) corev1.ContainerStatus {
	for _, status := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if status.Name == container {
			return status
		}
	}
	return corev1.ContainerStatus{}
}
