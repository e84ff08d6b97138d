package dataplane

import (
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// hasSidecarOf selects the pods that need the control plane of a mesh: all with sidecars in its namespaces, and those that kept the sidecar
// after their namespace had left the mesh.
func hasSidecarOf(mesh string) func(member string, pod *corev1.Pod) bool {
	return func(member string, pod *corev1.Pod) bool {
		return member == mesh && hasSidecar(pod) || hasLeft(mesh, member, pod)
	}
}

// WorkloadsForTeardown returns the workloads with sidecars of a mesh, sorted, and those that were restarted for target and have no
// sidecar any more. The latter limit how many others may be restarted until they are ready.
func (p *Plane) WorkloadsForTeardown(ctx context.Context, mesh, target string) ([]rollout.Workload, error) {
	workloads, err := p.workloads(ctx, mesh, hasSidecarOf(mesh))
	if err != nil {
		return nil, err
	}
	withSidecars := map[rollout.Ref]bool{}
	for _, w := range workloads {
		withSidecars[w.Ref] = true
	}
	states, err := p.restarted(ctx, func(revision string) bool { return revision == target })
	if err != nil {
		return nil, err
	}
	var restarted []rollout.Workload
	for ref, state := range states {
		if !withSidecars[ref] {
			restarted = append(restarted, rollout.Workload{
				Ref: ref, Ready: state.complete, Restart: parseRestart(state.restart), ReadySince: state.rolledOut,
			})
		}
	}
	if err := p.readLastReady(ctx, restarted, states); err != nil {
		return nil, err
	}
	workloads = append(workloads, restarted...)
	slices.SortFunc(workloads, func(a, b rollout.Workload) int { return a.Ref.Compare(b.Ref) })
	return workloads, nil
}

// restarted returns the workloads whose last restart was for a matching revision.
func (p *Plane) restarted(ctx context.Context, matches func(revision string) bool) (map[rollout.Ref]state, error) {
	states := map[rollout.Ref]state{}
	add := func(kind string, object client.Object) {
		if s := stateOf(object); matches(parseRestart(s.restart).Revision) {
			states[rollout.Ref{Kind: kind, Namespace: object.GetNamespace(), Name: object.GetName()}] = s
		}
	}
	var deployments appsv1.DeploymentList
	var statefulSets appsv1.StatefulSetList
	var daemonSets appsv1.DaemonSetList
	for _, list := range []client.ObjectList{&deployments, &statefulSets, &daemonSets} {
		if err := p.cache.List(ctx, list); err != nil {
			return nil, fmt.Errorf("the restarted workloads cannot be listed: %w", err)
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

// readLastReady sets ReadySince of the last restarted workload of each namespace, where its own status does not hold it. It reads the
// pods live: pods without sidecars are not watched.
func (p *Plane) readLastReady(ctx context.Context, workloads []rollout.Workload, states map[rollout.Ref]state) error {
	last := map[string]*rollout.Workload{}
	for i := range workloads {
		w := &workloads[i]
		if earlier := last[w.Ref.Namespace]; earlier == nil || w.Restart.At.After(earlier.Restart.At) {
			last[w.Ref.Namespace] = w
		}
	}
	for namespace, w := range last {
		if !w.Ready || !w.ReadySince.IsZero() {
			continue
		}
		var pods corev1.PodList
		if err := p.live.List(ctx, &pods, client.InNamespace(namespace), client.MatchingLabels(states[w.Ref].podLabels)); err != nil {
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

// restartAnnotationOf is the value of the operator's annotation on a pod template.
func restartAnnotationOf(template *corev1.PodTemplateSpec) string {
	return template.Annotations[names.RestartAnnotation]
}
