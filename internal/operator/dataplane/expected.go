package dataplane

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/compatibility"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// startTimeout is the time in which a started sidecar should make its pod ready. After that it must be connected.
	startTimeout = 30 * time.Second
	// reportDelay bounds the time from a pod's readiness to the control plane's report of its sidecar.
	reportDelay = 5 * time.Second
)

// isStarting reports whether a pod's sidecar need not be connected yet: it started a short time ago, and the pod is not ready or ready for less
// than reportDelay. A pod that does not become ready counts after startTimeout, which reveals a version whose sidecars never connect. A
// sidecar that ended and started again is not new.
func isStarting(pod *corev1.Pod, now time.Time) bool {
	if ready, since := readiness(pod); ready && now.Sub(since) >= reportDelay {
		return false
	}
	container := sidecarStatus(pod)
	began := pod.CreationTimestamp.Time
	if running := container.State.Running; running != nil && running.StartedAt.After(began) {
		began = running.StartedAt.Time
	}
	return container.RestartCount == 0 && now.Sub(began) < startTimeout
}

// sidecarStatus is the status of the container of the sidecar; the zero value without one.
func sidecarStatus(pod *corev1.Pod) corev1.ContainerStatus {
	for _, list := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for _, c := range list {
			if c.Name == names.SidecarContainer {
				return c
			}
		}
	}
	return corev1.ContainerStatus{}
}

// hasStarted reports whether a container runs or has run.
func hasStarted(c corev1.ContainerStatus) bool {
	return c.State.Running != nil || c.State.Terminated != nil || c.RestartCount > 0 || c.LastTerminationState.Terminated != nil
}

// startProblems are the reasons for which the kubelet cannot start a container. Others pass by themselves.
var startProblems = []string{
	"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "CreateContainerError",
	"CreateContainerConfigError", "RunContainerError",
}

// running describes the sidecar of a pod if it should be connected: it has started, and not just now, on a node that is ready. A pod
// without a node, or whose volumes are not mounted, has no sidecar yet. A pod of a lost node remains in the API as it was.
func (o observation) running(pod *corev1.Pod) (rollout.Sidecar, bool) {
	status := sidecarStatus(pod)
	s := rollout.Sidecar{
		Namespace: pod.Namespace, Pod: pod.Name, UID: string(pod.UID), Workload: pod.Namespace + "/" + accountOf(pod).Name, Revision: revisionOf(pod),
	}
	if o.lostNodes[pod.Spec.NodeName] {
		return s, false
	}
	if waiting := status.State.Waiting; !hasStarted(status) && waiting != nil {
		s.Problem = waiting.Reason
		return s, slices.Contains(startProblems, s.Problem)
	}
	return s, hasStarted(status) && !isStarting(pod, o.now)
}

// readNodes reads which nodes are not ready, and whose kubelets cannot restart a sidecar with another image.
func (p *Plane) readNodes(ctx context.Context, o *observation) error {
	var list corev1.NodeList
	if err := p.cache.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("the nodes cannot be listed: %w", err)
	}
	o.lostNodes, o.oldKubelets = map[string]bool{}, map[string]string{}
	inPlace := compatibility.FeatureOf(compatibility.SidecarsInPlace)
	for i := range list.Items {
		if !isNodeReady(&list.Items[i]) {
			o.lostNodes[list.Items[i].Name] = true
		}
		if kubelet := list.Items[i].Status.NodeInfo.KubeletVersion; inPlace.LacksKubelet(kubelet) {
			o.oldKubelets[list.Items[i].Name] = kubelet
		}
	}
	return nil
}

// isNodeReady reports whether the kubelet of a node reports that it is ready.
func isNodeReady(node *corev1.Node) bool {
	return slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}
