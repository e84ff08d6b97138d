package faults

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
)

// restarted returns a check whether a container of each pod runs anew and the pod is ready. With a reason, the container must have ended for it.
func restarted(pods []corev1.Pod, container, reason string) func(context.Context) (bool, string, error) {
	return func(ctx context.Context) (bool, string, error) {
		for _, old := range pods {
			var pod corev1.Pod
			if err := cluster.Client.Get(ctx, client.ObjectKeyFromObject(&old), &pod); err != nil {
				return false, "", err
			}
			status := lab.ContainerStatus(pod, container)
			if status.State.Running == nil || status.ContainerID == lab.ContainerStatus(old, container).ContainerID || !lab.IsReady(&pod) {
				return false, fmt.Sprintf("container %s of pod %s is not ready again", container, pod.Name), nil
			}
			ended := status.LastTerminationState.Terminated
			if reason != "" && (ended == nil || ended.Reason != reason) {
				return false, "", &lab.PermanentError{Reason: fmt.Sprintf("container %s of pod %s has ended as %v, want %s", container, pod.Name, ended, reason)}
			}
		}
		return true, "", nil
	}
}

// removed returns a check whether pods are gone.
func removed(pods []corev1.Pod) func(context.Context) (bool, string, error) {
	return func(ctx context.Context) (bool, string, error) {
		for _, old := range pods {
			var pod corev1.Pod
			err := cluster.Client.Get(ctx, client.ObjectKeyFromObject(&old), &pod)
			if !apierrors.IsNotFound(err) {
				return false, fmt.Sprintf("pod %s still exists", old.Name), err
			}
		}
		return true, "", nil
	}
}
