package dataplane

import (
	"cmp"
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/internal/certificate/preflight"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// RunningSidecars returns the running pods that need the control plane of a mesh, sorted by name. Terminating pods are left out.
func (p *Plane) RunningSidecars(ctx context.Context, mesh string) ([]preflight.Sidecar, error) {
	matches := hasSidecarOf(mesh)
	pods, err := p.pods(ctx, func(member string, pod *corev1.Pod) bool {
		return pod.Status.Phase == corev1.PodRunning && pod.DeletionTimestamp == nil && matches(member, pod)
	})
	if err != nil {
		return nil, err
	}
	running := make([]preflight.Sidecar, 0, len(pods))
	for i := range pods {
		account := identity.ServiceAccount{Namespace: pods[i].Namespace, Name: pods[i].Spec.ServiceAccountName}
		running = append(running, preflight.Sidecar{Name: pods[i].Namespace + "/" + pods[i].Name, Account: account})
	}
	slices.SortFunc(running, func(a, b preflight.Sidecar) int { return cmp.Compare(a.Name, b.Name) })
	return running, nil
}
