package kube

import corev1 "k8s.io/api/core/v1"

// IsGone returns true for pods that have ended or terminate. A restart does not concern them.
func IsGone(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp != nil || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}
