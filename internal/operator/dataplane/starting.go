package dataplane

import (
	"time"

	corev1 "k8s.io/api/core/v1"
)

const (
	// startTimeout is the time in which a new pod should become ready. After that its sidecar must be connected.
	startTimeout = 30 * time.Second
	// reportDelay bounds the time from a pod's readiness to the control plane's report of its sidecar.
	reportDelay = 5 * time.Second
)

// isStarting reports whether a pod's sidecar need not be connected yet: the pod is new, and not ready or ready for less than
// reportDelay. A pod that does not become ready counts after startTimeout, which reveals a version whose sidecars never connect.
func isStarting(pod *corev1.Pod, now time.Time) bool {
	if ready, since := readiness(pod); ready && now.Sub(since) >= reportDelay {
		return false
	}
	return now.Sub(pod.CreationTimestamp.Time) < startTimeout
}
