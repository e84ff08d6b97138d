package dataplane

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// RunningSidecars returns the running pods that need the control plane of a mesh, as "<namespace>/<pod>", sorted. Terminating pods are left
// out.
func (p *Plane) RunningSidecars(ctx context.Context, mesh string) ([]string, error) {
	matches := hasSidecarOf(mesh)
	pods, err := p.pods(ctx, func(member string, pod *corev1.Pod) bool {
		return pod.Status.Phase == corev1.PodRunning && pod.DeletionTimestamp == nil && matches(member, pod)
	})
	if err != nil {
		return nil, err
	}
	running := make([]string, 0, len(pods))
	for i := range pods {
		running = append(running, pods[i].Namespace+"/"+pods[i].Name)
	}
	slices.Sort(running)
	return running, nil
}
