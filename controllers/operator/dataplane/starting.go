package dataplane

import (
	"time"

	corev1 "k8s.io/api/core/v1"
)

const (
	// startTime is what a pod may take to become ready before its sidecar counts among those that must be connected.
	startTime = 30 * time.Second
	// reportTime is what passes between a pod's readiness and the control plane's report of its sidecar, at most.
	reportTime = 5 * time.Second
)

// starting says whether a pod's sidecar need not be connected yet: the pod has been ready for a few seconds only, or is not ready and
// new. One that does not get ready counts after a while, so that a version whose sidecars never connect is seen.
func starting(pod *corev1.Pod, now time.Time) bool {
	if ready, since := readiness(pod); ready && now.Sub(since) >= reportTime {
		return false
	}
	return now.Sub(pod.CreationTimestamp.Time) < startTime
}

// counted adds one of a revision to a count, which it makes when there is none.
func counted(counts map[string]int, revision string) map[string]int {
	if counts == nil {
		counts = map[string]int{}
	}
	counts[revision]++
	return counts
}
