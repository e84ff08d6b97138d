package teardown

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/controllers/operator/dataplane"
	"github.com/openservicemesh/osm-operator/controllers/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/names"
	"github.com/openservicemesh/osm-operator/internal/rollout"
)

// remainingSidecars lists the workloads of the running pods with a sidecar of a mesh, one element a pod, sorted. The label of the revision
// names the mesh even after the namespace has left it. Pods without that label belong to the mesh of their namespace.
func (r *Reconciler) remainingSidecars(ctx context.Context, mesh string) ([]rollout.Ref, error) {
	members, err := r.Members(ctx, mesh)
	if err != nil {
		return nil, err
	}
	inside := map[string]bool{}
	for i := range members {
		inside[members[i].Name] = true
	}
	pods := &metav1.PartialObjectMetadataList{}
	pods.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("PodList"))
	// A live read: terminating pods are in no cache, and still need what is about to be removed.
	if err := r.Live.List(ctx, pods, client.HasLabels{names.ProxyUUIDLabel}, notFinished()); err != nil {
		return nil, fmt.Errorf("the pods with sidecars cannot be listed: %w", err)
	}
	var remaining []rollout.Ref
	for i := range pods.Items {
		pod := &pods.Items[i]
		revision, labelled := pod.Labels[names.RevisionLabel]
		if labelled && desired.IsRevisionOf(mesh, revision) || !labelled && inside[pod.Namespace] {
			remaining = append(remaining, dataplane.WorkloadOf(&corev1.Pod{ObjectMeta: pod.ObjectMeta}))
		}
	}
	slices.SortFunc(remaining, rollout.Ref.Compare)
	return remaining, nil
}

// remainingMessage says what to do about sidecars.
func remainingMessage(left []rollout.Ref) string {
	return fmt.Sprintf("%s: remove the label %s from their namespaces and restart their workloads, or delete them; "+
		"or set spec.removal.sidecars to Restart, and the operator restarts what can be restarted", countSidecars(left), names.MonitoredByLabel)
}

// countSidecars says how many pods have a sidecar, and which workloads they are of.
func countSidecars(left []rollout.Ref) string {
	count := fmt.Sprintf("%d pods have", len(left))
	if len(left) == 1 {
		count = "1 pod has"
	}
	return fmt.Sprintf("%s a sidecar of this mesh, of %s", count, workloadsOf(left))
}

// workloadsOf lists the first workloads of some pods, with the number of pods of each that has several.
func workloadsOf(left []rollout.Ref) string {
	const most = 5
	pods := map[rollout.Ref]int{}
	for _, ref := range left {
		pods[ref]++
	}
	var words []string
	refs := slices.Compact(slices.Clone(left))
	for _, ref := range refs[:min(len(refs), most)] {
		word := ref.String()
		if pods[ref] > 1 {
			word = fmt.Sprintf("%s (%d pods)", word, pods[ref])
		}
		words = append(words, word)
	}
	if len(refs) > most {
		words = append(words, fmt.Sprintf("and %d more", len(refs)-most))
	}
	return strings.Join(words, ", ")
}

// notFinished selects pods that run or will.
func notFinished() client.ListOption {
	return client.MatchingFieldsSelector{Selector: fields.AndSelectors(
		fields.OneTermNotEqualSelector("status.phase", string(corev1.PodSucceeded)),
		fields.OneTermNotEqualSelector("status.phase", string(corev1.PodFailed)),
	)}
}
