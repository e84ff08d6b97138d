package mesh

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/controllers/operator/apply"
	"github.com/openservicemesh/osm-operator/controllers/operator/condition"
	"github.com/openservicemesh/osm-operator/controllers/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// remove removes a mesh: it waits for sidecars, then takes away what the mesh consists of, and lets the Mesh go.
func (r *Reconciler) remove(ctx context.Context, s *scope) (reconcile.Result, error) {
	if !controllerutil.ContainsFinalizer(s.mesh, Finalizer) {
		return reconcile.Result{}, nil
	}
	verdict, err := r.removeNext(ctx, s)
	if err != nil {
		verdict = condition.Verdict{State: condition.Failing, Reason: v1alpha1.ReasonDeleteFailed, Message: err.Error()}
	} else if verdict == nothingLeft {
		return stale(r.release(ctx, s.mesh))
	}
	s.mesh.Status.ObservedGeneration = s.mesh.Generation
	s.mesh.Status.Conditions = keepSummary(s.mesh.Status.Conditions)
	condition.Of(&s.mesh.Status.Conditions, s.mesh.Generation, r.Now()).Summarise(verdict)
	if written := r.writeStatus(ctx, s); err == nil {
		err = written
	}
	if err != nil {
		return reconcile.Result{}, err
	}
	if verdict.Reason == v1alpha1.ReasonDeleting {
		return reconcile.Result{RequeueAfter: pollWhileRemoving}, nil
	}
	return reconcile.Result{RequeueAfter: pollForSidecars}, nil
}

const (
	// pollWhileRemoving is how soon a removal goes on to its next step.
	pollWhileRemoving = 500 * time.Millisecond
	// pollForSidecars is how often a removal looks again for sidecars, which are not watched.
	pollForSidecars = 5 * time.Second
)

// nothingLeft is the verdict when everything is removed.
var nothingLeft = condition.Verdict{State: condition.Ready}

// keepSummary drops the conditions of parts, which say nothing true about a mesh that is being removed.
func keepSummary(conditions []metav1.Condition) []metav1.Condition {
	return slices.DeleteFunc(conditions, func(c metav1.Condition) bool {
		return c.Type != v1alpha1.ConditionReady && c.Type != v1alpha1.ConditionReconciling && c.Type != v1alpha1.ConditionStalled
	})
}

// removeNext does the first step that is not done yet, and says what it waits for.
func (r *Reconciler) removeNext(ctx context.Context, s *scope) (condition.Verdict, error) {
	sidecars, err := r.sidecars(ctx, s.mesh.Name)
	if err != nil {
		return condition.Verdict{}, err
	}
	if len(sidecars) > 0 {
		return condition.Verdict{State: condition.Working, Reason: v1alpha1.ReasonWaitingForSidecars, Message: sidecarMessage(sidecars)}, nil
	}
	for _, step := range r.removal() {
		left, err := step.run(ctx, s)
		if err != nil {
			return condition.Verdict{}, err
		}
		if left > 0 {
			return condition.Verdict{State: condition.Working, Reason: v1alpha1.ReasonDeleting, Message: "removing " + step.what}, nil
		}
	}
	return nothingLeft, nil
}

// release lets the Mesh go.
func (r *Reconciler) release(ctx context.Context, mesh *v1alpha1.Mesh) error {
	before := mesh.DeepCopy()
	controllerutil.RemoveFinalizer(mesh, Finalizer)
	err := r.Client.Patch(ctx, mesh, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}), client.FieldOwner(apply.FieldManager))
	return client.IgnoreNotFound(err)
}

// sidecars lists the running pods with a sidecar of a mesh. The label of the revision tells the mesh even after the namespace has
// left it; pods without that label belong to the mesh of their namespace.
func (r *Reconciler) sidecars(ctx context.Context, mesh string) ([]string, error) {
	members, err := r.members(ctx, mesh)
	if err != nil {
		return nil, err
	}
	inside := map[string]bool{}
	for i := range members {
		inside[members[i].Name] = true
	}
	pods := &metav1.PartialObjectMetadataList{}
	pods.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("PodList"))
	// Read live and rarely: watching every sidecar of the cluster for this would be a high price.
	if err := r.Live.List(ctx, pods, client.HasLabels{names.ProxyUUIDLabel}, notFinished()); err != nil {
		return nil, fmt.Errorf("the pods with sidecars cannot be listed: %w", err)
	}
	var left []string
	for i := range pods.Items {
		pod := &pods.Items[i]
		revision, labelled := pod.Labels[names.RevisionLabel]
		if labelled && desired.IsRevisionOf(mesh, revision) || !labelled && inside[pod.Namespace] {
			left = append(left, pod.Namespace+"/"+pod.Name)
		}
	}
	slices.Sort(left)
	return left, nil
}

// sidecarMessage says what to do about sidecars.
func sidecarMessage(pods []string) string {
	count := fmt.Sprintf("%d pods have", len(pods))
	if len(pods) == 1 {
		count = "1 pod has"
	}
	return fmt.Sprintf("%s a sidecar of this mesh, for example %s: remove the label %s from their namespaces and restart their workloads, or delete them",
		count, pods[0], names.MonitoredByLabel)
}
