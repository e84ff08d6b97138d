package mesh

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/controllers/operator/apply"
	"github.com/openservicemesh/osm-operator/controllers/operator/condition"
	"github.com/openservicemesh/osm-operator/controllers/operator/desired"
)

// observe writes what is, whatever the phases achieved.
func (r *Reconciler) observe(ctx context.Context, s *scope) error {
	if alone := r.Applier.LeftAlone(s.mesh); alone != "" {
		s.notes = append(s.notes, alone)
	}
	status := &s.mesh.Status
	status.ObservedGeneration = s.mesh.Generation
	status.Namespace, status.Version = s.wanted.Namespace, s.wanted.Version
	members, err := r.members(ctx, s.mesh.Name)
	if err != nil {
		return err
	}
	status.Namespaces = int32(len(members))
	if s.current, err = r.liveRevision(ctx, s); err != nil {
		return err
	}
	if s.baseRevision == nil || s.baseRevision.Name == desired.RevisionName(s.wanted.Name, s.wanted.Version) {
		s.baseRevision = s.current
	}
	r.tellUpgrade(s)
	revisions, err := r.revisions(ctx, s)
	if err != nil {
		return err
	}
	status.Revisions = nil
	for i := range revisions {
		status.Revisions = append(status.Revisions, v1alpha1.RevisionSummary{
			Name: revisions[i].Name, Version: revisions[i].Spec.Version, Role: revisions[i].Spec.Role,
			Ready: revisionVerdict(&revisions[i]).State == condition.Ready,
		})
	}
	slices.SortFunc(status.Revisions, func(a, b v1alpha1.RevisionSummary) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

// conclude writes the conditions. err is why the script ended early, if it did.
func (r *Reconciler) conclude(s *scope, err error) {
	conditions := condition.Of(&s.mesh.Status.Conditions, s.mesh.Generation, r.Now())
	parts := parts(s, err)
	for _, p := range parts {
		conditions.Part(p.kind, p.verdict)
	}
	conditions.Only(false, v1alpha1.ConditionPaused, "", "")
	conditions.Only(false, v1alpha1.ConditionPlanned, "", "")
	conditions.Summarise(summary(s, parts))
}

// part is the verdict on one part of a mesh.
type part struct {
	kind    string
	verdict condition.Verdict
}

// parts judges each part. Of parts that are equally bad, the first is the one to tell about: webhooks wait for the control plane, so
// what keeps that from being ready says more.
func parts(s *scope, err error) []part {
	certificates := condition.Verdict{State: condition.Ready, Reason: v1alpha1.ReasonCertificatesValid, Message: "all certificates exist and are valid"}
	installed := installedVerdict(s)
	configuration := waitingVerdict("the MeshConfig has not been read yet")
	if s.configuration != nil {
		configuration = *s.configuration
	}
	if err != nil {
		// The script ended early, so not everything was looked at.
		skipped := waitingVerdict("waiting, because something else failed: " + err.Error())
		certificates, installed = skipped, failedVerdict(err)
		var f *failure
		if errors.As(err, &f) && f.phase.part == v1alpha1.ConditionCertificatesReady {
			certificates, installed = installed, skipped
		}
	}
	return []part{
		{v1alpha1.ConditionCertificatesReady, certificates},
		{v1alpha1.ConditionControlPlaneReady, revisionVerdict(s.baseRevision)},
		{v1alpha1.ConditionInstalled, installed},
		{v1alpha1.ConditionConfigurationAccepted, configuration},
	}
}

// summary is the worst of what decides whether a mesh is ready. Fields that are not acted on do not keep it from working.
func summary(s *scope, parts []part) condition.Verdict {
	worst := condition.Verdict{State: condition.Ready, Reason: v1alpha1.ReasonReady, Message: "version " + s.wanted.Version + " runs in namespace " + s.wanted.Namespace}
	for _, p := range append(parts, part{verdict: upgradeVerdict(s)}) {
		if p.kind != v1alpha1.ConditionConfigurationAccepted && rank(p.verdict.State) > rank(worst.State) {
			worst = p.verdict
		}
	}
	return worst
}

// rank orders states by how bad they are.
func rank(state condition.State) int {
	return slices.Index([]condition.State{condition.Ready, condition.Working, condition.Failing, condition.Stalled}, state)
}

// installedVerdict says what has been applied.
func installedVerdict(s *scope) condition.Verdict {
	notes := append(slices.Clone(s.pending), s.notes...)
	switch {
	case len(s.pending) > 0:
		return condition.Verdict{State: condition.Working, Reason: v1alpha1.ReasonWaitingForReplicas, Message: strings.Join(notes, "; ")}
	case len(s.notes) > 0:
		return condition.Verdict{State: condition.Ready, Reason: v1alpha1.ReasonApplied, Message: "everything is applied; " + strings.Join(notes, "; ")}
	}
	return condition.Verdict{State: condition.Ready, Reason: v1alpha1.ReasonApplied, Message: "everything is applied"}
}

// revisionVerdict repeats what a MeshRevision says about itself.
func revisionVerdict(revision *v1alpha1.MeshRevision) condition.Verdict {
	if revision == nil {
		return waitingVerdict("the control plane is not applied yet")
	}
	ready := meta.FindStatusCondition(revision.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil || ready.ObservedGeneration != revision.Generation {
		return waitingVerdict("the control plane is being applied")
	}
	verdict := condition.Verdict{State: condition.Working, Reason: ready.Reason, Message: ready.Message}
	switch ready.Status {
	case "True":
		verdict.State = condition.Ready
	case "False":
		verdict.State = condition.Failing
	}
	return verdict
}

// waitingVerdict is a part that is not there yet.
func waitingVerdict(message string) condition.Verdict {
	return condition.Verdict{State: condition.Working, Reason: v1alpha1.ReasonProgressing, Message: message}
}

// failedVerdict judges an error.
func failedVerdict(err error) condition.Verdict {
	var blocked *stalled
	var f *failure
	switch {
	case errors.As(err, &blocked):
		return condition.Verdict{State: condition.Stalled, Reason: blocked.reason, Message: blocked.message}
	case errors.As(err, &f):
		return condition.Verdict{State: condition.Failing, Reason: f.phase.reason, Message: err.Error()}
	}
	return condition.Verdict{State: condition.Failing, Reason: v1alpha1.ReasonApplyFailed, Message: err.Error()}
}

// writeStatus patches the status if it changed, and tells about a new state.
func (r *Reconciler) writeStatus(ctx context.Context, s *scope) error {
	before := &v1alpha1.Mesh{}
	if err := r.Client.Get(ctx, client.ObjectKeyFromObject(s.mesh), before); err != nil {
		return client.IgnoreNotFound(err)
	}
	if equality.Semantic.DeepEqual(before.Status, s.mesh.Status) {
		return nil
	}
	after := before.DeepCopy()
	after.Status = s.mesh.Status
	if err := r.Client.Status().Patch(ctx, after, client.MergeFrom(before), client.FieldOwner(apply.FieldManager)); err != nil {
		return fmt.Errorf("the status of Mesh %s cannot be written: %w", s.mesh.Name, client.IgnoreNotFound(err))
	}
	r.Metrics.Written(before, after, r.Now())
	r.tellTransition(s, before)
	r.tellPhase(s, before)
	return nil
}

// tellTransition writes an Event when the reason of Ready is another one.
func (r *Reconciler) tellTransition(s *scope, before *v1alpha1.Mesh) {
	was := meta.FindStatusCondition(before.Status.Conditions, v1alpha1.ConditionReady)
	is := meta.FindStatusCondition(s.mesh.Status.Conditions, v1alpha1.ConditionReady)
	if is == nil || was != nil && was.Reason == is.Reason && was.Status == is.Status {
		return
	}
	kind := corev1.EventTypeNormal
	if is.Status == "False" {
		kind = corev1.EventTypeWarning
	}
	r.say(s, kind, is.Reason, "Observe", "%s", is.Message)
}
