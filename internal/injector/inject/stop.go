package inject

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/workload"
)

const (
	// stopDelay is how many seconds an application gets requests after the deletion of its pod begins. By then, clients have the endpoints without it.
	stopDelay = 5
	// defaultGracePeriod is the grace period of pods without one, in seconds.
	defaultGracePeriod = 30
)

// delayStop lets the kubelet wait before it sends SIGTERM to containers without a preStop hook of their own. Many applications stop at once after SIGTERM,
// and what has arrived just then may be lost: a sidecar cannot know whether the application has processed it. Pods that run to completion have no
// requests to wait for.
func delayStop(pod *corev1.Pod) {
	grace := int64(defaultGracePeriod)
	if configured := pod.Spec.TerminationGracePeriodSeconds; configured != nil {
		grace = *configured
	}
	// The API server rejects a sleep longer than the grace period, and half of that is the application's.
	seconds := min(stopDelay, grace/2)
	if seconds < 1 || workload.HasEnd(pod) {
		return
	}
	for i := range pod.Spec.Containers {
		c := &pod.Spec.Containers[i]
		if c.Lifecycle == nil {
			c.Lifecycle = &corev1.Lifecycle{}
		}
		if c.Lifecycle.PreStop == nil {
			c.Lifecycle.PreStop = &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: seconds}}
		}
	}
}
