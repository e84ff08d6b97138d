package cli

import (
	"context"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/cli/kube"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// deploymentWait polls the rollout of a Deployment and the sidecars of its pods.
type deploymentWait struct {
	namespace, name string
	mesh            mesh
	reader          client.Reader
	reports         proxyReports

	last string
	pods int
}

func (w *deploymentWait) String() string { return "Deployment " + w.namespace + "/" + w.name }

// poll returns true when the Deployment is rolled out and all its sidecars are up to date. It returns an error for pods without a sidecar,
// and for sidecars that reject their configuration.
func (w *deploymentWait) poll(ctx context.Context) (bool, error) {
	d := &appsv1.Deployment{}
	err := w.reader.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: w.name}, d)
	if apierrors.IsNotFound(err) {
		return false, fmt.Errorf("%s not found: specify its namespace with -n", w)
	}
	if err != nil {
		return false, err
	}
	if err := w.mesh.checkMember(w.namespace); err != nil {
		return false, err
	}
	desired := int32(1)
	if d.Spec.Replicas != nil {
		desired = *d.Spec.Replicas
	}
	s := d.Status
	if s.ObservedGeneration < d.Generation || s.UpdatedReplicas < desired || s.AvailableReplicas < desired || s.Replicas > s.UpdatedReplicas {
		w.last = fmt.Sprintf("%d of %d pods are updated, %d of %d pods are available", s.UpdatedReplicas, desired, s.AvailableReplicas, s.Replicas)
		return false, nil
	}
	pods, err := w.podNames(ctx, d)
	if err != nil {
		return false, err
	}
	return w.pollSidecars(ctx, pods)
}

// podNames returns the names of the running pods of a Deployment.
func (w *deploymentWait) podNames(ctx context.Context, d *appsv1.Deployment) (map[string]bool, error) {
	selector, err := metav1.LabelSelectorAsSelector(d.Spec.Selector)
	if err != nil {
		return nil, err
	}
	var pods corev1.PodList
	if err := w.reader.List(ctx, &pods, client.InNamespace(w.namespace), client.MatchingLabelsSelector{Selector: selector}); err != nil {
		return nil, err
	}
	found := map[string]bool{}
	for i := range pods.Items {
		pod := &pods.Items[i]
		if kube.IsGone(pod) {
			continue
		}
		if pod.Labels[names.ProxyUUIDLabel] == "" {
			return nil, fmt.Errorf("pod %s of %s has no sidecar: see the reason with `osm analyze -n %s`", pod.Name, w, w.namespace)
		}
		found[pod.Name] = true
	}
	return found, nil
}

// pollSidecars returns true when the sidecars of all pods have acknowledged their configuration.
func (w *deploymentWait) pollSidecars(ctx context.Context, pods map[string]bool) (bool, error) {
	answers, err := w.reports.Proxies(ctx)
	if err != nil {
		return false, err
	}
	current, silent := map[string]bool{}, []string(nil)
	for _, answer := range answers {
		if answer.Err != nil {
			silent = append(silent, answer.Replica)
			continue
		}
		for _, p := range answer.Value.Proxies {
			if p.Namespace != w.namespace || !pods[p.Pod] {
				continue
			}
			switch state := stateOf(p, answer.Replica); state.State {
			case stateUpToDate:
				current[p.Pod] = true
			case stateRejecting, stateUnserved:
				return false, fmt.Errorf("the sidecar of pod %s/%s is %s: see `osm proxy status %s/%s`", w.namespace, p.Pod, state.State, w.namespace, p.Pod)
			}
		}
	}
	w.pods = len(pods)
	w.last = fmt.Sprintf("%d of %d sidecars are up to date", len(current), len(pods))
	if len(silent) > 0 {
		w.last += "; replicas that do not respond: " + strings.Join(silent, ", ")
	}
	return len(current) == len(pods), nil
}

func (w *deploymentWait) pending() string    { return "is not in the mesh yet: " + w.last }
func (w *deploymentWait) restricted() string { return "" }

func (w *deploymentWait) summary() string {
	if w.pods == 0 {
		return w.String() + " has no pods"
	}
	return w.String() + " is rolled out: " + w.last
}
