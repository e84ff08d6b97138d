package revision

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// failures describes why pods are not ready. The text of a lasting failure does not change between retries, so that the status is not
// written again.
func (w workload) failures() []string {
	if w.deployment == nil {
		return nil
	}
	var found []string
	for i := range w.pods {
		pod := &w.pods[i]
		if pod.DeletionTimestamp != nil {
			continue
		}
		found = append(found, w.schedulingFailure(pod)...)
		for _, status := range pod.Status.ContainerStatuses {
			if text := w.containerFailure(status); text != "" {
				found = append(found, text)
			}
		}
	}
	if len(found) > 0 {
		return found
	}
	return w.deploymentFailure()
}

// schedulingFailure quotes the scheduler.
func (w workload) schedulingFailure(pod *corev1.Pod) []string {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable {
			return []string{fmt.Sprintf("%s: no node can run the pod: %s", w.name, c.Message)}
		}
	}
	return nil
}

// containerFailure describes why a container does not run, or is empty.
func (w workload) containerFailure(status corev1.ContainerStatus) string {
	logs := fmt.Sprintf("kubectl logs -n %s deployment/%s --previous", w.deployment.Namespace, w.name)
	switch waiting := status.State.Waiting; {
	case waiting == nil:
	case waiting.Reason == "ErrImagePull", waiting.Reason == "ImagePullBackOff", waiting.Reason == "ErrImageNeverPull":
		return fmt.Sprintf("%s: the image %s cannot be pulled: check that it exists and that the nodes can pull it", w.name, status.Image)
	case waiting.Reason == "InvalidImageName":
		return fmt.Sprintf("%s: %q is not a valid image name: correct it in spec.controlPlane.images of the Mesh, or in the RELATED_IMAGE variables of the operator", w.name, status.Image)
	case waiting.Reason == "CreateContainerConfigError", waiting.Reason == "CreateContainerError", waiting.Reason == "RunContainerError":
		return fmt.Sprintf("%s: the container cannot be started: %s", w.name, waiting.Message)
	case waiting.Reason == "CrashLoopBackOff":
		return fmt.Sprintf("%s: the container crashes repeatedly%s: run %s", w.name, exitCode(status), logs)
	}
	if status.State.Terminated != nil {
		return fmt.Sprintf("%s: the container crashes repeatedly%s: run %s", w.name, exitCode(status), logs)
	}
	return ""
}

// exitCode is the last exit code of a container in brackets, or empty.
func exitCode(status corev1.ContainerStatus) string {
	for _, terminated := range []*corev1.ContainerStateTerminated{status.State.Terminated, status.LastTerminationState.Terminated} {
		if terminated != nil {
			return fmt.Sprintf(" (exit code %d)", terminated.ExitCode)
		}
	}
	return ""
}

// deploymentFailure quotes the Deployment, whose status has failures to create pods and the end of its progress deadline.
func (w workload) deploymentFailure() []string {
	for _, c := range w.deployment.Status.Conditions {
		switch {
		case c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue:
			return []string{fmt.Sprintf("%s: pods cannot be created: %s", w.name, c.Message)}
		case c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionFalse:
			return []string{fmt.Sprintf("%s: the pods did not become ready in time: run kubectl describe pods -n %s -l app=%s", w.name, w.deployment.Namespace, w.name)}
		}
	}
	return nil
}
