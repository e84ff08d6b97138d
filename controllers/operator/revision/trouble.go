package revision

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// troubles says in plain words what keeps pods from being ready. Texts do not change from one try to the next, so that a lasting
// trouble does not rewrite the status again and again.
func (w workload) troubles() []string {
	if w.deployment == nil {
		return nil
	}
	var found []string
	for i := range w.pods {
		pod := &w.pods[i]
		if pod.DeletionTimestamp != nil {
			continue
		}
		found = append(found, w.unschedulable(pod)...)
		for _, status := range pod.Status.ContainerStatuses {
			if text := w.container(status); text != "" {
				found = append(found, text)
			}
		}
	}
	if len(found) > 0 {
		return found
	}
	return w.deploymentTroubles()
}

// unschedulable quotes the scheduler.
func (w workload) unschedulable(pod *corev1.Pod) []string {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable {
			return []string{fmt.Sprintf("%s: no node takes the pod: %s", w.name, c.Message)}
		}
	}
	return nil
}

// container says what is wrong with a container, or nothing.
func (w workload) container(status corev1.ContainerStatus) string {
	logs := fmt.Sprintf("kubectl logs -n %s deployment/%s --previous", w.deployment.Namespace, w.name)
	switch waiting := status.State.Waiting; {
	case waiting == nil:
	case waiting.Reason == "ErrImagePull", waiting.Reason == "ImagePullBackOff", waiting.Reason == "ErrImageNeverPull":
		return fmt.Sprintf("%s: the image %s cannot be pulled: check that it exists and that the nodes may pull it", w.name, status.Image)
	case waiting.Reason == "InvalidImageName":
		return fmt.Sprintf("%s: %q is not the name of an image: correct it in spec.controlPlane.images of the Mesh, or in the RELATED_IMAGE variables of the operator", w.name, status.Image)
	case waiting.Reason == "CreateContainerConfigError", waiting.Reason == "CreateContainerError", waiting.Reason == "RunContainerError":
		return fmt.Sprintf("%s: the container cannot be started: %s", w.name, waiting.Message)
	case waiting.Reason == "CrashLoopBackOff":
		return fmt.Sprintf("%s: the container keeps stopping%s: read %s", w.name, exitCode(status), logs)
	}
	if status.State.Terminated != nil {
		return fmt.Sprintf("%s: the container keeps stopping%s: read %s", w.name, exitCode(status), logs)
	}
	return ""
}

// exitCode tells the last exit code of a container, if it is known.
func exitCode(status corev1.ContainerStatus) string {
	for _, terminated := range []*corev1.ContainerStateTerminated{status.State.Terminated, status.LastTerminationState.Terminated} {
		if terminated != nil {
			return fmt.Sprintf(" (exit code %d)", terminated.ExitCode)
		}
	}
	return ""
}

// deploymentTroubles quotes the Deployment: it knows why pods were not created, and that the time is up.
func (w workload) deploymentTroubles() []string {
	for _, c := range w.deployment.Status.Conditions {
		switch {
		case c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue:
			return []string{fmt.Sprintf("%s: pods cannot be created: %s", w.name, c.Message)}
		case c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionFalse:
			return []string{fmt.Sprintf("%s: the pods did not become ready in time: read kubectl describe pods -n %s -l app=%s", w.name, w.deployment.Namespace, w.name)}
		}
	}
	return nil
}
