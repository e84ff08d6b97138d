package kube

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Slots returns the names of the two sidecar containers of a pod whose sidecar is upgraded in place, and nothing for a pod with one sidecar.
func Slots(pod *corev1.Pod) []string {
	var slots []string
	for _, c := range pod.Spec.InitContainers {
		if ingest.IsSlot(c) {
			slots = append(slots, c.Name)
		}
	}
	if len(slots) < 2 {
		return nil
	}
	return slots
}

// IsSidecarReady reports whether the sidecar of a pod has accepted its first configuration. Slots have no startup probe, so they count as started at once. The
// container that waits for one of them has completed instead, and either of them may serve.
func IsSidecarReady(pod *corev1.Pod) bool {
	statuses := pod.Status.InitContainerStatuses
	if len(Slots(pod)) == 0 {
		return slices.ContainsFunc(statuses, func(c corev1.ContainerStatus) bool {
			return c.Name == names.SidecarContainer && c.Started != nil && *c.Started
		})
	}
	served := slices.ContainsFunc(statuses, func(c corev1.ContainerStatus) bool {
		return c.Name == names.WaitContainer && c.State.Terminated != nil && c.State.Terminated.ExitCode == 0
	})
	return served && slices.ContainsFunc(statuses, func(c corev1.ContainerStatus) bool { return names.IsSlot(c.Name) && c.State.Running != nil })
}

// LogsCommand is the kubectl command that prints the log of a pod's sidecar, of both slots if it has two.
func LogsCommand(pod *corev1.Pod) string {
	command := "kubectl -n " + pod.Namespace + " logs " + pod.Name + " -c " + names.SidecarContainer
	if len(Slots(pod)) > 0 {
		command += ", and the same with -c " + names.StandbyContainer
	}
	return command
}
