package mesh

import (
	"context"
	"fmt"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/controllers/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/names"
	"github.com/openservicemesh/osm-operator/internal/operand"
	"github.com/openservicemesh/osm-operator/internal/rollout"
)

// lookBeside adds what a canary needs to a situation: who is first, who gives them their sidecars, and why there can be none.
func (r *Reconciler) lookBeside(ctx context.Context, s *scope, situation *rollout.Situation) error {
	var err error
	if situation.Injects, err = r.injects(ctx, s); err != nil || situation.Strategy != rollout.Canary {
		return err
	}
	if err := besideName(s); err != nil {
		situation.Refused = err.Error()
	}
	selector, err := selectorOf(s)
	if err != nil {
		situation.Refused = fmt.Sprintf("spec.upgrade.canary.namespaces is no selector: %v", err)
		return nil
	}
	members, err := r.members(ctx, s.mesh.Name)
	if err != nil {
		return err
	}
	for i := range members {
		if members[i].DeletionTimestamp == nil && selector.Matches(labels.Set(members[i].Labels)) {
			situation.Chosen = append(situation.Chosen, members[i].Name)
		}
	}
	slices.Sort(situation.Chosen)
	return nil
}

// besideName says why the wanted version cannot run beside another; nil when it can.
func besideName(s *scope) error {
	if err := s.release.CanRunBeside(); err != nil {
		return err
	}
	longest := names.Beside(reportService, operand.Suffix(s.mesh.Name, desired.RevisionName(s.wanted.Name, s.wanted.Version)))
	if len(longest) > validation.DNS1035LabelMaxLength {
		return fmt.Errorf("version %s cannot run beside another version, because its Service %s would have a name of more than %d letters: set spec.upgrade.strategy to InPlace for it",
			s.wanted.Version, longest, validation.DNS1035LabelMaxLength)
	}
	return nil
}

// selectorOf selects those that are first; nobody when the Mesh does not say who.
func selectorOf(s *scope) (labels.Selector, error) {
	upgrade, _, _ := upgradeOf(s.mesh)
	if upgrade.Canary == nil {
		return labels.Nothing(), nil
	}
	return metav1.LabelSelectorAsSelector(&upgrade.Canary.Namespaces)
}

// injects is the revision beside the mesh's own whose injector is registered; empty without one.
func (r *Reconciler) injects(ctx context.Context, s *scope) (string, error) {
	live := &admissionv1.MutatingWebhookConfiguration{}
	err := r.Client.Get(ctx, client.ObjectKey{Name: names.MutatingWebhook(s.mesh.Name)}, live)
	if client.IgnoreNotFound(err) != nil {
		return "", fmt.Errorf("the webhook configuration %s cannot be read: %w", names.MutatingWebhook(s.mesh.Name), err)
	}
	for _, webhook := range live.Webhooks {
		if service := webhook.ClientConfig.Service; webhook.Name == names.CanaryWebhook && service != nil {
			return revisionBeside(s.mesh.Name, names.Injector, service.Name), nil
		}
	}
	return "", nil
}

// revisionBeside is the revision that a Service beside the mesh's own belongs to; empty when it is none.
func revisionBeside(mesh, component, service string) string {
	suffix, ok := strings.CutPrefix(service, component+"-")
	if revision := mesh + "-" + suffix; ok && desired.IsRevisionOf(mesh, revision) {
		return revision
	}
	return ""
}

// trying says whether the wanted revision runs beside another one only: then it has its own sidecars, and no others.
func (s *scope) trying() bool {
	return s.situation.Wanted == s.situation.Beside && s.situation.Wanted != s.situation.Base
}

// triedByHand says whether people have restarted a workload for a canary, since the operator does not.
func (s *scope) triedByHand(w rollout.Workload) bool {
	return s.trying() && s.situation.Limits.Manual && w.Sidecars[s.situation.Wanted] > 0
}

// suffixes are those of the Deployments that a revision runs in its role.
func suffixes(revision *v1alpha1.MeshRevision) []string {
	var suffixes []string
	if role := revision.Spec.Role; runsBase(role) || role == "" {
		suffixes = append(suffixes, "")
	}
	if runsBeside(revision.Spec.Role) {
		suffixes = append(suffixes, operand.Suffix(revision.Spec.Mesh, revision.Name))
	}
	return suffixes
}

// target is the revision whose sidecars the workloads of a namespace should have.
func (s *scope) target(namespace string) string {
	if s.plan.Injects != "" && slices.Contains(s.situation.Chosen, namespace) {
		return s.plan.Injects
	}
	return s.plan.Base
}
