package dataplane

import (
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/names"
	"github.com/openservicemesh/osm-operator/internal/rollout"
)

// OwnerOf is the workload that a pod belongs to: the one whose pod template it was made from, or the pod itself.
func OwnerOf(pod *corev1.Pod) rollout.Ref { return ownerOf(pod) }

// Leaving are all that carry sidecars of a mesh, and those that were restarted for the target and carry none any more: as long as one of
// these is not ready, or was a moment ago, others wait. Sorted.
func (p *Plane) Leaving(ctx context.Context, mesh, target string) ([]rollout.Workload, error) {
	workloads, err := p.Workloads(ctx, mesh)
	if err != nil {
		return nil, err
	}
	known := map[rollout.Ref]bool{}
	for _, w := range workloads {
		known[w.Ref] = true
	}
	states, err := p.restartedFor(ctx, target)
	if err != nil {
		return nil, err
	}
	var left []rollout.Workload
	for ref, state := range states {
		if !known[ref] {
			left = append(left, rollout.Workload{Ref: ref, Settled: state.settled, Restart: parseRestart(state.restart), ReadySince: state.done})
		}
	}
	if err := p.lastReady(ctx, left, states); err != nil {
		return nil, err
	}
	workloads = append(workloads, left...)
	slices.SortFunc(workloads, func(a, b rollout.Workload) int { return a.Ref.Compare(b.Ref) })
	return workloads, nil
}

// restartedFor are the workloads whose last restart was for a target.
func (p *Plane) restartedFor(ctx context.Context, target string) (map[rollout.Ref]state, error) {
	states := map[rollout.Ref]state{}
	add := func(kind string, object client.Object) {
		if s := stateOf(object, names.RestartAnnotation); parseRestart(s.restart).Revision == target {
			states[rollout.Ref{Kind: kind, Namespace: object.GetNamespace(), Name: object.GetName()}] = s
		}
	}
	var deployments appsv1.DeploymentList
	var statefulSets appsv1.StatefulSetList
	var daemonSets appsv1.DaemonSetList
	for _, list := range []client.ObjectList{&deployments, &statefulSets, &daemonSets} {
		if err := p.cache.List(ctx, list); err != nil {
			return nil, fmt.Errorf("the workloads that were restarted cannot be listed: %w", err)
		}
	}
	for i := range deployments.Items {
		add("Deployment", &deployments.Items[i])
	}
	for i := range statefulSets.Items {
		add("StatefulSet", &statefulSets.Items[i])
	}
	for i := range daemonSets.Items {
		add("DaemonSet", &daemonSets.Items[i])
	}
	return states, nil
}

// lastReady finds out since when the workload that was restarted last in each namespace is ready, where its own object does not tell:
// from its pods, which are not watched any more.
func (p *Plane) lastReady(ctx context.Context, left []rollout.Workload, states map[rollout.Ref]state) error {
	last := map[string]*rollout.Workload{}
	for i := range left {
		w := &left[i]
		if before := last[w.Ref.Namespace]; before == nil || w.Restart.At.After(before.Restart.At) {
			last[w.Ref.Namespace] = w
		}
	}
	for namespace, w := range last {
		if !w.Settled || !w.ReadySince.IsZero() {
			continue
		}
		var pods corev1.PodList
		if err := p.live.List(ctx, &pods, client.InNamespace(namespace), client.MatchingLabels(states[w.Ref].labels)); err != nil {
			return fmt.Errorf("the pods of %s cannot be listed: %w", w.Ref, err)
		}
		for i := range pods.Items {
			if _, since := readiness(&pods.Items[i]); since.After(w.ReadySince) {
				w.ReadySince = since
			}
		}
	}
	return nil
}
