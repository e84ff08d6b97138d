package revision

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/controllers/operator/condition"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// workload is one Deployment of the control plane with its pods. deployment is nil when it does not exist.
type workload struct {
	name       string
	deployment *appsv1.Deployment
	pods       []corev1.Pod
	now        time.Time
	// version is what the revision runs; a Deployment of another one is not its yet, or was left alone.
	version     string
	autoscaling *v1alpha1.AutoscalingSpec
}

// workload reads a Deployment and its pods.
func (r *Reconciler) workload(ctx context.Context, revision *v1alpha1.MeshRevision, name string) (workload, error) {
	namespace := revision.Spec.Namespace
	w := workload{
		name: name, deployment: &appsv1.Deployment{}, now: r.Now(),
		version: revision.Spec.Version, autoscaling: revision.Spec.ControlPlane.Autoscaling,
	}
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, w.deployment)
	if apierrors.IsNotFound(err) {
		w.deployment = nil
		return w, nil
	}
	if err != nil {
		return w, fmt.Errorf("the Deployment %s/%s cannot be read: %w", namespace, name, err)
	}
	var pods corev1.PodList
	if err := r.Client.List(ctx, &pods, client.InNamespace(namespace), client.MatchingLabels{names.AppLabel: name}); err != nil {
		return w, fmt.Errorf("the pods of %s/%s cannot be listed: %w", namespace, name, err)
	}
	w.pods = pods.Items
	return w, nil
}

// count counts pods. A pod counts as ready only when it is up to date; how many of the ready pods are old is not told by a
// Deployment, so as many as can be are taken for old.
func (w workload) count() v1alpha1.WorkloadStatus {
	if w.deployment == nil {
		return v1alpha1.WorkloadStatus{}
	}
	count := v1alpha1.WorkloadStatus{Replicas: ptr.Deref(w.deployment.Spec.Replicas, 1)}
	status := w.deployment.Status
	if status.ObservedGeneration >= w.deployment.Generation && w.running() == w.version {
		old := status.Replicas - status.UpdatedReplicas
		count.Ready = min(max(status.ReadyReplicas-old, 0), count.Replicas)
	}
	return count
}

// done says whether all pods are up to date and ready and no other is left.
func (w workload) done() bool {
	if w.deployment == nil {
		return false
	}
	count, status := w.count(), w.deployment.Status
	least := w.least(count.Replicas)
	if count.Ready < least || status.AvailableReplicas < least || status.Replicas != status.UpdatedReplicas || w.lingering() > 0 {
		return false
	}
	return w.autoscaling != nil || status.Replicas == count.Replicas
}

// running is the version of the pods that the Deployment makes.
func (w workload) running() string { return w.deployment.Spec.Template.Labels[names.VersionLabel] }

// lingering counts pods of another version that still answer. A Deployment does not count those that are going away, and the API
// server keeps its connections to them: an injector among them would give new pods the sidecars of its own version. One whose time
// is over does not count; on a node that is lost its object stays for ever.
func (w workload) lingering() int {
	n := 0
	for i := range w.pods {
		pod := &w.pods[i]
		ended := pod.DeletionTimestamp != nil && !w.now.Before(pod.DeletionTimestamp.Time)
		if pod.Labels[names.VersionLabel] != w.running() && !ended {
			n++
		}
	}
	return n
}

// judge says how a revision is doing. alone says which of its objects users keep the operator from changing, if any.
func judge(applied error, workloads []workload, alone string) condition.Verdict {
	verdict := judgeWorkloads(applied, workloads)
	if alone != "" {
		verdict.Message += "; " + alone
	}
	return verdict
}

func judgeWorkloads(applied error, workloads []workload) condition.Verdict {
	if applied != nil {
		return condition.Verdict{State: condition.Failing, Reason: v1alpha1.ReasonApplyFailed, Message: applied.Error()}
	}
	var counts, waiting, troubles []string
	for _, w := range workloads {
		count := w.count()
		text := fmt.Sprintf("%s %d of %d", w.name, count.Ready, count.Replicas)
		counts = append(counts, text)
		if !w.done() {
			waiting = append(waiting, text+w.tellVersion()+w.tellLingering())
			troubles = append(troubles, w.troubles()...)
		}
	}
	switch {
	case len(troubles) > 0:
		return condition.Verdict{State: condition.Failing, Reason: v1alpha1.ReasonReplicasFailed, Message: sentence(troubles)}
	case len(waiting) > 0:
		return condition.Verdict{State: condition.Working, Reason: v1alpha1.ReasonWaitingForReplicas, Message: "waiting for ready pods: " + strings.Join(waiting, ", ")}
	}
	return condition.Verdict{State: condition.Ready, Reason: v1alpha1.ReasonReplicasReady, Message: tellReady(workloads) + strings.Join(counts, ", ")}
}

// tellReady says whether all pods are ready, or only as many as must be.
func tellReady(workloads []workload) string {
	for _, w := range workloads {
		if count := w.count(); count.Ready < count.Replicas {
			return "enough pods are ready, and more are coming: "
		}
	}
	return "all pods are ready: "
}

// tellVersion says that the Deployment is still of another version, if it is.
func (w workload) tellVersion() string {
	if w.deployment == nil || w.running() == w.version {
		return ""
	}
	return fmt.Sprintf(" (still of version %s)", w.running())
}

// tellLingering says how many pods of another version there are, if any.
func (w workload) tellLingering() string {
	if w.deployment == nil || w.lingering() == 0 {
		return ""
	}
	return fmt.Sprintf(" (pods of another version that still answer: %d)", w.lingering())
}

// sentence joins troubles, each once, in a steady order.
func sentence(troubles []string) string {
	slices.Sort(troubles)
	return strings.Join(slices.Compact(troubles), "; ")
}
