package pull

import (
	"cmp"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// state is how far a node is with an image.
type state int

const (
	// unasked: the node has no pod that pulls the image.
	unasked state = iota
	// asked: its pod has not run the Envoy of the image yet.
	asked
	// rejected: the pod cannot be created.
	rejected
	// failed: the Envoy of the image does not run there.
	failed
	// pulled: the node has the image, and its Envoy has run there.
	pulled
)

// attempt is what is known about the pull of an image on a node.
type attempt struct {
	state state
	// isLate is true if Timeout has passed since the node was asked first.
	isLate bool
	// loads is true if the node may be pulling now. A pod that waits for room on its node does not.
	loads bool
	// reason is why the node does not have the image, as the end of a sentence.
	reason string
	// exitCode is that of the Envoy that failed.
	exitCode int32
	// isDenied is true if the API server rejects the pod, and tried is when it did last.
	isDenied bool
	tried    time.Time
}

// attemptOf reads the pod that pulls an image on a node, which was asked first at a time.
func (i Image) attemptOf(pod *corev1.Pod, first, now time.Time) attempt {
	a := attempt{state: asked, isLate: now.Sub(first) > Timeout}
	end := endOf(pod)
	switch {
	case isOver(pod):
		a.reason = fmt.Sprintf("the pod %s/%s, which pulls the image %s there, was ended: %s", pod.Namespace, pod.Name, i.Reference, cmp.Or(pod.Status.Message, pod.Status.Reason, "it is deleted"))
	case end == nil:
		a.loads = isScheduled(pod)
		a.reason = fmt.Sprintf("the pod %s/%s has not pulled the image %s there within %s%s", pod.Namespace, pod.Name, i.Reference, Timeout, problemOf(pod))
	case end.ExitCode == 0:
		a.state = pulled
	default:
		a.state, a.exitCode = failed, end.ExitCode
		a.reason = fmt.Sprintf("the Envoy of the image %s does not run there: `%s --version` ended with the exit code %d in the pod %s/%s", i.Reference, envoyProgram, end.ExitCode,
			pod.Namespace, pod.Name)
	}
	return a
}

// isOver reports whether a pod pulls nothing any more: it is being deleted, or was evicted.
func isOver(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp != nil || pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded
}

// endOf returns how Envoy of a pod's image ended; nil while the image is pulled, and while Envoy runs for the first time.
func endOf(pod *corev1.Pod) *corev1.ContainerStateTerminated {
	for _, status := range pod.Status.InitContainerStatuses {
		if status.Name == pullContainer {
			return cmp.Or(status.State.Terminated, status.LastTerminationState.Terminated)
		}
	}
	return nil
}

// scheduling is the condition of a pod that has a node.
func scheduling(pod *corev1.Pod) corev1.PodCondition {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled {
			return c
		}
	}
	return corev1.PodCondition{}
}

// isScheduled is false for a pod that the scheduler has no room for.
func isScheduled(pod *corev1.Pod) bool { return scheduling(pod).Status != corev1.ConditionFalse }

// problemOf is why a pod has not pulled its image, in parentheses; empty if nothing is known.
func problemOf(pod *corev1.Pod) string {
	problem := ""
	for _, status := range pod.Status.InitContainerStatuses {
		if waiting := status.State.Waiting; status.Name == pullContainer && waiting != nil {
			problem = cmp.Or(waiting.Message, waiting.Reason)
		}
	}
	if !isScheduled(pod) {
		problem = scheduling(pod).Message
	}
	if problem == "" {
		return ""
	}
	return " (" + problem + ")"
}
