package mesh

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component/egressgateway"
	"github.com/openservicemesh/osm-operator/internal/operator/component/ingressgateway"
	"github.com/openservicemesh/osm-operator/internal/operator/component/peergateway"
	"github.com/openservicemesh/osm-operator/internal/operator/conditions"
	"github.com/openservicemesh/osm-operator/internal/operator/metrics"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/operator/status"
	"github.com/openservicemesh/osm-operator/internal/operator/takeover"
	"github.com/openservicemesh/osm-operator/internal/operator/webhooks"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// writeStatus writes the mesh controller's part of the status, whatever the phases achieved, and the summary of all parts. failed is why
// the phases ended early.
func (r *Reconciler) writeStatus(ctx context.Context, p *pass, failed error) error {
	members, err := r.Members(ctx, p.mesh.Name)
	if err != nil {
		return err
	}
	p.status.ObservedGeneration = p.mesh.Generation
	p.status.Namespace, p.status.DesiredVersion = p.desired.Namespace, p.desired.Version
	p.status.Namespaces = int32(len(members))
	if err := r.setConditions(ctx, p, failed); err != nil {
		return err
	}
	view := p.mesh.DeepCopy()
	view.Status = *p.status
	p.status.Phase, _ = metrics.PhaseOf(view)
	writeSummary(p.status, view, p.desired.Namespace, r.Now())
	written, err := r.Status.Write(ctx, status.Mesh, p.mesh, p.status)
	if err != nil || written == nil {
		return err
	}
	r.Metrics.RecordStatus(p.mesh, written, r.Now())
	r.recordTransition(p.mesh, written)
	return nil
}

// setConditions sets the conditions of the mesh controller's own questions.
func (r *Reconciler) setConditions(ctx context.Context, p *pass, failed error) error {
	editor := conditions.NewEditor(&p.status.Conditions, p.mesh.Generation, r.Now())
	editor.SetOrRemove(observe.IsPaused(p.mesh), v1alpha1.ConditionPaused, v1alpha1.ReasonPaused, pausedMessage(p.mesh))
	if err := r.setPeersReady(ctx, p, editor); err != nil {
		return err
	}
	if observe.ModeOf(p.mesh) != observe.Apply {
		// Nothing is being installed, and the MeshConfig is not assessed.
		editor.SetOrRemove(false, v1alpha1.ConditionInstalled, "", "")
		editor.SetOrRemove(false, v1alpha1.ConditionConfigurationAccepted, "", "")
		return nil
	}
	installed, err := r.assessInstalled(ctx, p, failed)
	if err != nil {
		return err
	}
	editor.Set(v1alpha1.ConditionInstalled, installed)
	configuration := observe.Waiting("the MeshConfig has not been read yet")
	if p.configuration != nil {
		configuration = *p.configuration
	}
	editor.Set(v1alpha1.ConditionConfigurationAccepted, configuration)
	return nil
}

// pausedMessage returns what spec.paused keeps the operator from.
func pausedMessage(mesh *v1alpha1.Mesh) string {
	switch {
	case mesh.DeletionTimestamp != nil:
		return "the Mesh is being deleted, and spec.paused stops the removal: remove spec.paused to continue"
	case observe.IsPlanOnly(mesh):
		return "spec.paused keeps the operator from changing anything of this mesh, whatever spec.mode says"
	}
	return "spec.paused keeps the operator from changing anything of this mesh but its certificates and their distribution: take it away to go on"
}

// assessInstalled reports what has been applied, and which webhooks are still missing.
func (r *Reconciler) assessInstalled(ctx context.Context, p *pass, failed error) (conditions.Assessment, error) {
	var stalled *observe.StalledError
	switch {
	case errors.As(failed, &stalled):
		return conditions.Assessment{State: conditions.Stalled, Reason: stalled.Reason, Message: stalled.Message}, nil
	case isWaiting(failed):
		return observe.Waiting(failed.Error()), nil
	case failed != nil:
		return conditions.Assessment{State: conditions.Failing, Reason: v1alpha1.ReasonApplyFailed, Message: failed.Error()}, nil
	}
	if !takeover.MayRegister(p.mesh) {
		applied := "everything is applied; the webhooks of the Open Service Mesh in namespace " + takeover.SourceOf(p.mesh) + " answer"
		return conditions.Assessment{
			State: conditions.Ready, Reason: v1alpha1.ReasonApplied,
			Message: strings.Join(append([]string{applied}, p.notes...), "; "),
		}, nil
	}
	missing, err := webhooks.Missing(ctx, r.Cluster, p.mesh.Name)
	if err != nil {
		return conditions.Assessment{}, err
	}
	notes := lists.Map(missing, func(webhook string) string { return webhook + " is registered as soon as its pods are ready" })
	notes = append(notes, p.notes...)
	if ignored := p.session.IgnoredObjects(); ignored != "" {
		notes = append(notes, ignored)
	}
	if len(missing) > 0 {
		return conditions.Assessment{State: conditions.Progressing, Reason: v1alpha1.ReasonWaitingForReplicas, Message: strings.Join(notes, "; ")}, nil
	}
	return conditions.Assessment{
		State: conditions.Ready, Reason: v1alpha1.ReasonApplied,
		Message: strings.Join(append([]string{"everything is applied"}, notes...), "; "),
	}, nil
}

// recordTransition records an Event when the reason or the status of Ready is another one.
func (r *Reconciler) recordTransition(before, after *v1alpha1.Mesh) {
	was := meta.FindStatusCondition(before.Status.Conditions, v1alpha1.ConditionReady)
	is := meta.FindStatusCondition(after.Status.Conditions, v1alpha1.ConditionReady)
	if is == nil || was != nil && was.Reason == is.Reason && was.Status == is.Status {
		return
	}
	kind := corev1.EventTypeNormal
	if is.Status == "False" {
		kind = corev1.EventTypeWarning
	}
	r.Recorder.Eventf(after, nil, kind, is.Reason, "Observe", "%s", is.Message)
}

// writeSummary writes into a status what Ready, Reconciling and Stalled say about a mesh.
func writeSummary(status *v1alpha1.MeshStatus, mesh *v1alpha1.Mesh, namespace string, now time.Time) {
	ready, notReconciling := summarise(mesh, namespace)
	editor := conditions.NewEditor(&status.Conditions, mesh.Generation, now)
	editor.SetSummary(ready)
	if notReconciling {
		editor.SetOrRemove(false, v1alpha1.ConditionReconciling, "", "")
	}
}

// summarise sums up the conditions of a Mesh, which the controllers of its parts have written. notReconciling is true for a mesh whose state is not known, and
// which nothing brings to another one.
func summarise(mesh *v1alpha1.Mesh, namespace string) (ready conditions.Assessment, notReconciling bool) {
	switch mode := observe.ModeOf(mesh); {
	case mode == observe.Remove:
		return summariseRemoval(mesh), false
	case mode == observe.Maintain && observe.IsPlanOnly(mesh):
		return summarisePlan(mesh)
	case mode == observe.Maintain:
		return summarisePaused(mesh), false
	}
	return summariseParts(mesh, namespace), false
}

// summariseParts is the worst of the parts that decide whether a mesh is ready. Of parts that are equally bad the first is reported:
// webhooks wait for the control plane, so what keeps that from being ready says more. Gateways are part of the path of requests. Other
// components, fields without effect, and single namespaces that reject their trust, do not keep the mesh from being ready.
func summariseParts(mesh *v1alpha1.Mesh, namespace string) conditions.Assessment {
	worst := conditions.Assessment{
		State: conditions.Ready, Reason: v1alpha1.ReasonReady,
		Message: "version " + mesh.Status.DesiredVersion + " runs in namespace " + namespace,
	}
	trust := observe.Assess(mesh, v1alpha1.ConditionTrustDistributed)
	if trust.State == conditions.Failing {
		trust.State = conditions.Ready
	}
	for _, part := range []conditions.Assessment{
		observe.Assess(mesh, v1alpha1.ConditionCertificatesReady),
		trust,
		withStalled(observe.Assess(mesh, v1alpha1.ConditionControlPlaneReady)),
		withStalled(observe.Assess(mesh, v1alpha1.ConditionInstalled)),
		assessGateway(mesh, ingressgateway.Managed{}),
		assessGateway(mesh, egressgateway.Managed{}),
		assessGateway(mesh, peergateway.Managed{}),
		upgrading(mesh),
	} {
		if rank(part.State) > rank(worst.State) {
			worst = part
		}
	}
	return worst
}

// gateway is a component that requests pass.
type gateway interface {
	Name() string
	Enabled(mesh *v1alpha1.Mesh) bool
}

// assessGateway is how a gateway weighs on whether the mesh is ready. A gateway that is not enabled is ready.
func assessGateway(mesh *v1alpha1.Mesh, g gateway) conditions.Assessment {
	if !g.Enabled(mesh) {
		return conditions.Assessment{State: conditions.Ready}
	}
	i := slices.IndexFunc(mesh.Status.Components, func(c v1alpha1.ComponentStatus) bool { return c.Name == g.Name() })
	if i < 0 {
		return observe.Waiting("waiting for the component " + g.Name())
	}
	c := mesh.Status.Components[i]
	if c.Ready {
		return conditions.Assessment{State: conditions.Ready}
	}
	state := conditions.Failing
	if c.Reason == v1alpha1.ReasonProgressing {
		state = conditions.Progressing
	}
	return conditions.Assessment{State: state, Reason: c.Reason, Message: g.Name() + ": " + c.Message}
}

// rank orders states by how bad they are.
func rank(state conditions.State) int {
	return slices.Index([]conditions.State{conditions.Ready, conditions.Progressing, conditions.Failing, conditions.Stalled}, state)
}

// upgrading is how an upgrade weighs on whether the mesh is ready. The readiness of a mesh that is being installed follows from its parts.
func upgrading(mesh *v1alpha1.Mesh) conditions.Assessment {
	c := meta.FindStatusCondition(mesh.Status.Conditions, v1alpha1.ConditionUpgrading)
	assessment := withStalled(observe.Assess(mesh, v1alpha1.ConditionUpgrading))
	switch {
	case c == nil || c.ObservedGeneration != mesh.Generation || assessment.State == conditions.Stalled:
		return assessment
	case c.Status != metav1.ConditionFalse:
		assessment.State = conditions.Progressing
		return assessment
	}
	return conditions.Assessment{State: conditions.Ready}
}

// withStalled turns a failure into a stall if its reason is one that a retry cannot cure.
func withStalled(a conditions.Assessment) conditions.Assessment {
	stalled := []string{
		v1alpha1.ReasonInvalidSpec, v1alpha1.ReasonUnknownVersion, v1alpha1.ReasonUnsupportedStep, v1alpha1.ReasonNamespaceClaimed,
		v1alpha1.ReasonRolledBack, v1alpha1.ReasonUpgradeHalted, v1alpha1.ReasonCanaryBlocked, v1alpha1.ReasonUnsupportedKubernetes,
		v1alpha1.ReasonAdoptionBlocked,
	}
	if a.State == conditions.Failing && slices.Contains(stalled, a.Reason) {
		a.State = conditions.Stalled
	}
	return a
}

// summariseRemoval repeats the condition of the teardown.
func summariseRemoval(mesh *v1alpha1.Mesh) conditions.Assessment {
	removed := meta.FindStatusCondition(mesh.Status.Conditions, v1alpha1.ConditionRemoved)
	if removed == nil || removed.ObservedGeneration != mesh.Generation {
		return conditions.Assessment{State: conditions.Progressing, Reason: v1alpha1.ReasonDeleting, Message: "the Mesh is being deleted"}
	}
	return observe.Assess(mesh, v1alpha1.ConditionRemoved)
}

// summarisePaused is how the installed mesh does as it is.
func summarisePaused(mesh *v1alpha1.Mesh) conditions.Assessment {
	running := assessRunning(mesh)
	if running.State == conditions.Ready {
		running.Reason, running.Message = v1alpha1.ReasonPaused, pausedMessage(mesh)
	}
	return running
}

// summarisePlan is how an installed mesh does, with the plan. A mesh that is not installed is neither ready nor being reconciled.
func summarisePlan(mesh *v1alpha1.Mesh) (planned conditions.Assessment, notReconciling bool) {
	planned = withStalled(observe.Assess(mesh, v1alpha1.ConditionPlanned))
	if planned.State == conditions.Stalled {
		planned.State = conditions.Failing
	}
	if meta.FindStatusCondition(mesh.Status.Conditions, v1alpha1.ConditionControlPlaneReady) == nil {
		if planned.State != conditions.Ready {
			return planned, false
		}
		return conditions.Assessment{
			State: conditions.Progressing, Reason: v1alpha1.ReasonPlanned,
			Message: "not installed, only planned: " + planned.Message,
		}, true
	}
	running := assessRunning(mesh)
	if running.State == conditions.Ready {
		running.Reason, running.Message = v1alpha1.ReasonPlanned, planned.Message
	}
	return running, false
}

// assessRunning is how a mesh does that nothing is changed of: its control plane, and its certificates, which are still renewed.
func assessRunning(mesh *v1alpha1.Mesh) conditions.Assessment {
	c := meta.FindStatusCondition(mesh.Status.Conditions, v1alpha1.ConditionControlPlaneReady)
	running := observe.Assess(mesh, v1alpha1.ConditionControlPlaneReady)
	if running.State == conditions.Progressing && (c == nil || c.ObservedGeneration == mesh.Generation) {
		// Nothing works on it.
		running.State = conditions.Failing
	}
	if c == nil {
		running.Message = "the control plane is not applied yet"
	}
	if certificates := meta.FindStatusCondition(mesh.Status.Conditions, v1alpha1.ConditionCertificatesReady); running.State == conditions.Ready &&
		certificates != nil {
		if assessment := observe.Assess(mesh, v1alpha1.ConditionCertificatesReady); assessment.State != conditions.Ready {
			return assessment
		}
	}
	return running
}
