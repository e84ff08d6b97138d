package dataplane

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// podPage is the number of pods that are read at once.
const podPage = 500

// SidecarPods returns the workloads of all pods that need the control plane of a mesh, one element for each pod, sorted. Terminating pods are
// included, finished ones are not.
func (p *Plane) SidecarPods(ctx context.Context, mesh string) ([]rollout.Ref, error) {
	pods, err := p.pods(ctx, hasSidecarOf(mesh))
	return workloadsOf(pods), err
}

// LiveSidecarPods is SidecarPods from the API server. It is expensive in a large cluster, and exact.
func (p *Plane) LiveSidecarPods(ctx context.Context, mesh string) ([]rollout.Ref, error) {
	pods, err := p.livePods(ctx, hasSidecarOf(mesh))
	return workloadsOf(pods), err
}

// livePods returns the matching pods of the API server, page by page.
func (p *Plane) livePods(ctx context.Context, matches func(member string, pod *corev1.Pod) bool) ([]corev1.Pod, error) {
	members := p.members(ctx)
	var found []corev1.Pod
	for token := ""; ; {
		var list corev1.PodList
		err := p.live.List(ctx, &list, client.HasLabels{names.ProxyUUIDLabel}, unfinished(), client.Limit(podPage), client.Continue(token))
		if err != nil {
			return nil, fmt.Errorf("the pods with sidecars cannot be listed: %w", err)
		}
		for i := range list.Items {
			if pod := &list.Items[i]; matches(members(pod.Namespace), pod) {
				found = append(found, *pod)
			}
		}
		if token = list.Continue; token == "" {
			return found, nil
		}
	}
}

// workloadsOf returns the workload of each unfinished pod, sorted.
func workloadsOf(pods []corev1.Pod) []rollout.Ref {
	var refs []rollout.Ref
	for i := range pods {
		if phase := pods[i].Status.Phase; phase != corev1.PodSucceeded && phase != corev1.PodFailed {
			refs = append(refs, WorkloadOf(&pods[i]))
		}
	}
	slices.SortFunc(refs, rollout.Ref.Compare)
	return refs
}

// unfinished selects pods that run or will run.
func unfinished() client.ListOption {
	return client.MatchingFieldsSelector{Selector: fields.AndSelectors(
		fields.OneTermNotEqualSelector("status.phase", string(corev1.PodSucceeded)),
		fields.OneTermNotEqualSelector("status.phase", string(corev1.PodFailed)),
	)}
}
