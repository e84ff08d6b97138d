package dataplane

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/certificate/preflight"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
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

// LiveOwnSidecarPods is LiveSidecarPods without the pods whose sidecars an Open Service Mesh has made.
func (p *Plane) LiveOwnSidecarPods(ctx context.Context, mesh string) ([]rollout.Ref, error) {
	matches := hasSidecarOf(mesh)
	pods, err := p.livePods(ctx, func(member string, pod *corev1.Pod) bool { return matches(member, pod) && ingest.IsInjected(pod) })
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
		account := accountOf(&pods[i])
		running = append(running, preflight.Sidecar{Name: pods[i].Namespace + "/" + pods[i].Name, Account: account})
	}
	slices.SortFunc(running, func(a, b preflight.Sidecar) int { return cmp.Compare(a.Name, b.Name) })
	return running, nil
}

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
	states, _, err := p.restarted(ctx, func(revision string) bool { return revision == target })
	if err != nil {
		return nil, err
	}
	var restarted []rollout.Workload
	for ref, state := range states {
		if !withSidecars[ref] {
			restarted = append(restarted, rollout.Workload{
				Ref: ref, Ready: state.isDone(0), Restart: parseRestart(state.restart), ReadySince: state.rolledOut,
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

// restarted returns the workloads whose last restart was for a matching revision, and why those of a kind could not be read, by a Ref of the kind alone.
func (p *Plane) restarted(ctx context.Context, matches func(revision string) bool) (states map[rollout.Ref]state, unread map[rollout.Ref]string, err error) {
	states, unread = map[rollout.Ref]state{}, map[rollout.Ref]string{}
	add := func(kind string, object client.Object) {
		if s := p.stateOf(object); matches(parseRestart(s.restart).Revision) {
			states[rollout.Ref{Kind: kind, Namespace: object.GetNamespace(), Name: object.GetName()}] = s
		}
	}
	for kind, list := range map[string]client.ObjectList{
		"Deployment": &appsv1.DeploymentList{}, "StatefulSet": &appsv1.StatefulSetList{}, "DaemonSet": &appsv1.DaemonSetList{},
	} {
		if err := p.cache.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
			return nil, nil, fmt.Errorf("the restarted workloads cannot be listed: %w", err)
		}
		_ = meta.EachListItem(list, func(workload runtime.Object) error {
			add(kind, workload.(client.Object))
			return nil
		})
	}
	for _, kind := range thirdPartyKinds {
		list, err := p.thirdParty.list(ctx, kind)
		var problem *unreadError
		switch {
		case errors.As(err, &problem):
			unread[rollout.Ref{Kind: nameOf(kind)}] = problem.Error()
		case err != nil:
			return nil, nil, fmt.Errorf("the restarted workloads of the kind %s cannot be listed: %w", kind.Kind, err)
		}
		for i := range list {
			add(nameOf(kind), &list[i])
		}
	}
	return states, unread, nil
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
			if _, since := readiness(p.times.pod(&pods.Items[i], p.now())); since.After(w.ReadySince) {
				w.ReadySince = notBefore(since, w.Restart.At, p.now())
			}
		}
	}
	return nil
}
