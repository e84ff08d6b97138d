package revision

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/conditions"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// computeStatus computes the status from the live Deployments and pods. applied is the error of deploy, and ignored that of assess.
func (r *Reconciler) computeStatus(
	ctx context.Context, revision *v1alpha1.MeshRevision, applied error, ignored string,
) (v1alpha1.MeshRevisionStatus, error) {
	var workloads []workload
	for _, suffix := range suffixes(revision) {
		for _, name := range []string{names.Controller, names.Injector} {
			observed, err := r.workload(ctx, revision, names.WithSuffix(name, suffix))
			if err != nil {
				return v1alpha1.MeshRevisionStatus{}, err
			}
			workloads = append(workloads, observed)
		}
	}
	return r.statusOf(revision, workloads[0].count(), workloads[1].count(), assess(applied, workloads, ignored)), nil
}

// standbyStatus is the status of a revision that runs nothing.
func (r *Reconciler) standbyStatus(revision *v1alpha1.MeshRevision) v1alpha1.MeshRevisionStatus {
	return r.statusOf(revision, v1alpha1.WorkloadStatus{}, v1alpha1.WorkloadStatus{}, conditions.Assessment{
		State: conditions.Ready, Reason: v1alpha1.ReasonStandby, Message: "on standby: another revision runs the mesh",
	})
}

// statusOf is the status of a revision with these pods.
func (r *Reconciler) statusOf(
	revision *v1alpha1.MeshRevision, controller, injector v1alpha1.WorkloadStatus, assessment conditions.Assessment,
) v1alpha1.MeshRevisionStatus {
	status := *revision.Status.DeepCopy()
	status.ObservedGeneration, status.Controller, status.Injector = revision.Generation, controller, injector
	r.setRole(revision, &status)
	conditions.NewEditor(&status.Conditions, revision.Generation, r.Now()).SetSummary(assessment)
	return status
}

// setRole records the role of a revision and when it began.
func (r *Reconciler) setRole(revision *v1alpha1.MeshRevision, status *v1alpha1.MeshRevisionStatus) {
	if status.Role == revision.Spec.Role && status.RoleStartTime != nil {
		return
	}
	status.RanAsCanary = status.RanAsCanary || observe.RunsCanary(revision.Spec.Role)
	now := metav1.NewTime(r.Now().Truncate(time.Second))
	status.Role, status.RoleStartTime = revision.Spec.Role, &now
}

// writeStatus patches the status if it changed.
func (r *Reconciler) writeStatus(ctx context.Context, revision *v1alpha1.MeshRevision, status v1alpha1.MeshRevisionStatus) error {
	if equality.Semantic.DeepEqual(revision.Status, status) {
		return nil
	}
	before := revision.DeepCopy()
	revision.Status = status
	err := r.Client.Status().Patch(ctx, revision, client.MergeFrom(before), client.FieldOwner(apply.FieldManager))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("the status of MeshRevision %s cannot be written: %w", revision.Name, err)
	}
	return nil
}

// assess computes the state of a revision. ignored is a sentence about objects that are not updated, or empty.
func assess(applied error, workloads []workload, ignored string) conditions.Assessment {
	assessment := assessWorkloads(applied, workloads)
	if ignored != "" {
		assessment.Message += "; " + ignored
	}
	return assessment
}

func assessWorkloads(applied error, workloads []workload) conditions.Assessment {
	var overlay *operand.OverlayError
	switch {
	case operand.IsUnknownVersion(applied):
		return conditions.Assessment{State: conditions.Stalled, Reason: v1alpha1.ReasonUnknownVersion, Message: applied.Error()}
	case errors.As(applied, &overlay):
		return conditions.Assessment{State: conditions.Stalled, Reason: v1alpha1.ReasonInvalidSpec, Message: applied.Error()}
	case applied != nil:
		return conditions.Assessment{State: conditions.Failing, Reason: v1alpha1.ReasonApplyFailed, Message: applied.Error()}
	}
	var counts, waiting, failures []string
	for _, w := range workloads {
		count := w.count()
		text := fmt.Sprintf("%s %d of %d", w.name, count.Ready, count.Replicas)
		if w.deployment == nil {
			text = w.name + ", whose Deployment does not exist"
		}
		counts = append(counts, text)
		if !w.isReady() {
			waiting = append(waiting, text+w.formatVersion()+w.formatOutdatedPods())
			failures = append(failures, w.failures()...)
		}
	}
	switch {
	case len(failures) > 0:
		// A steady order, so that an unchanged status is not written again.
		slices.Sort(failures)
		return conditions.Assessment{State: conditions.Failing, Reason: v1alpha1.ReasonReplicasFailed, Message: strings.Join(slices.Compact(failures), "; ")}
	case len(waiting) > 0:
		return conditions.Assessment{
			State: conditions.Progressing, Reason: v1alpha1.ReasonWaitingForReplicas,
			Message: "waiting for ready pods: " + strings.Join(waiting, ", "),
		}
	}
	return conditions.Assessment{State: conditions.Ready, Reason: v1alpha1.ReasonReplicasReady, Message: formatReady(workloads) + strings.Join(counts, ", ")}
}

func formatReady(workloads []workload) string {
	for _, w := range workloads {
		if count := w.count(); count.Ready < count.Replicas {
			return "enough pods are ready while scaling up: "
		}
	}
	return "all pods are ready: "
}

// formatVersion describes a Deployment of another revision.
func (w workload) formatVersion() string {
	if w.deployment == nil || w.isDeployed() {
		return ""
	}
	if w.deployedVersion() == w.version {
		return fmt.Sprintf(" (still MeshRevision %s)", w.deployedRevision())
	}
	return fmt.Sprintf(" (still version %s)", w.deployedVersion())
}

// formatOutdatedPods describes pods of another revision.
func (w workload) formatOutdatedPods() string {
	if w.deployment == nil || w.outdatedPods() == 0 {
		return ""
	}
	return fmt.Sprintf(" (remaining pods of another MeshRevision: %d)", w.outdatedPods())
}
