package upgrade

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/operator/secrets"
	"github.com/openservicemesh/osm-operator/internal/operator/takeover"
	"github.com/openservicemesh/osm-operator/internal/operator/webhooks"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// observeSituation observes everything that decides the next step of an upgrade, except the verdicts of the gates.
func (r *Reconciler) observeSituation(ctx context.Context, p *pass) (rollout.Situation, error) {
	revisions, err := r.Revisions(ctx, p.mesh.Name)
	if err != nil {
		return rollout.Situation{}, err
	}
	workloads, err := r.DataPlane.Workloads(ctx, p.mesh.Name)
	if err != nil {
		return rollout.Situation{}, err
	}
	upgrade, _, _ := desired.UpgradeSettings(p.mesh)
	situation := rollout.Situation{
		Strategy: rollout.Strategy(desired.Strategy(p.mesh)), Now: r.Now(), Desired: p.chosen.Name,
		Workloads: workloads, Limits: desired.Limits(p.mesh),
		AutomaticRollback: ptr.Deref(upgrade.Rollback, v1alpha1.RollbackAutomatic) == v1alpha1.RollbackAutomatic,
	}
	ahead, _ := desired.Pull(p.mesh)
	situation.Limits.Unproven = !ahead || len(component.Scheduling(p.mesh, v1alpha1.SchedulingSpec{}).PullSecrets) > 0
	situation.Limits.Denied = r.Restarter.Denied(ctx, p.mesh)
	ordering := takeover.Ordering{Reader: r.Client, Calls: r.DataPlane}
	if err := ordering.Limit(ctx, p.mesh, p.desired.Namespace, workloads, &situation.Limits); err != nil {
		return rollout.Situation{}, err
	}
	if err := r.Stage(ctx, p.mesh, &situation.Limits); err != nil {
		return rollout.Situation{}, err
	}
	if situation.Limits.Slots, err = r.SlotTargets(ctx, p.mesh, revisions); err != nil {
		return rollout.Situation{}, err
	}
	situation.Workloads = rollout.DeclareImages(workloads, situation.Limits.Slots)
	if active := observe.ActiveRevision(revisions); active != nil {
		situation.Active = active.Name
	}
	for i := range revisions {
		revision := &revisions[i]
		if revision.DeletionTimestamp != nil {
			continue
		}
		situation.Revisions = append(situation.Revisions, fact(p.mesh, revision))
		if observe.RunsCanary(revision.Spec.Role) {
			situation.Canary = revision.Name
		}
		if revision.Name == situation.Desired {
			p.current = revision
			situation.ReadySince = inRoleSince(revision)
		}
	}
	return situation, r.observeCanary(ctx, p, &situation)
}

// fact is what the status of a MeshRevision contains.
func fact(mesh *v1alpha1.Mesh, revision *v1alpha1.MeshRevision) rollout.Revision {
	f := rollout.Revision{Name: revision.Name, Serving: !readySince(revision).IsZero(), InjectorReady: canaryAnswers(revision)}
	if revision.Status.VerificationTime != nil {
		f.Verified = revision.Status.VerificationTime.Time
	}
	if observe.IsRejected(mesh, revision) {
		f.Rejected = revision.Status.Rejected.Reason
	}
	return f
}

// inRoleSince is when all pods of a revision were ready in its role, and it had that role; zero while they are not.
func inRoleSince(revision *v1alpha1.MeshRevision) time.Time {
	since := readySince(revision)
	if role := revision.Status.RoleStartTime; !since.IsZero() && role != nil && role.After(since) {
		return role.Time
	}
	return since
}

// canaryAnswers is true when a pod of the canary's injector is ready.
func canaryAnswers(revision *v1alpha1.MeshRevision) bool {
	return observe.RunsCanary(revision.Spec.Role) && observe.RunsCanary(revision.Status.Role) && revision.Status.Injector.Ready > 0
}

// readySince is when all pods of a revision became ready in the role that it shall have; zero while they are not.
func readySince(revision *v1alpha1.MeshRevision) time.Time {
	ready := meta.FindStatusCondition(revision.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil || ready.Status != metav1.ConditionTrue || ready.ObservedGeneration != revision.Generation {
		return time.Time{}
	}
	if revision.Spec.Role == v1alpha1.RoleStandby || revision.Spec.Role != "" && revision.Status.Role != revision.Spec.Role {
		return time.Time{}
	}
	return ready.LastTransitionTime.Time
}

// checkStep rejects a version that is more than one step away from the running version, or that cannot serve existing sidecars of the
// mesh. It runs before any change for the new version.
func (r *Reconciler) checkStep(p *pass) error {
	if p.situation.Active == "" || p.isActing() {
		return nil
	}
	problem := r.Compatibility.CheckStep(r.versionOf(p, p.situation.Active), p.desired.Version, r.sidecarVersions(p))
	if problem == "" {
		return nil
	}
	return &observe.StalledError{Reason: v1alpha1.ReasonUnsupportedStep, Message: "spec.version: " + problem}
}

// sidecarVersions are the versions whose injectors made the sidecars of the mesh, as far as that is known, sorted.
func (r *Reconciler) sidecarVersions(p *pass) []string {
	versions := map[string]bool{}
	for _, w := range p.situation.Workloads {
		for revision, sidecars := range w.Sidecars {
			if version := r.versionOf(p, revision); version != "" && sidecars > 0 {
				versions[version] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(versions))
}

// versionOf is the version of a revision, which may have been deleted, by its name; empty for one that this operator does not know.
func (r *Reconciler) versionOf(p *pass, revision string) string {
	for _, version := range r.Catalogue.Known() {
		if plain := desired.RevisionName(p.desired.Name, version); plain == revision || plain == desired.FirstRevision(revision) {
			return version
		}
	}
	return ""
}

// observeCanary adds to a situation the namespaces of the canary, its registered injector, and why there can be no canary.
func (r *Reconciler) observeCanary(ctx context.Context, p *pass, situation *rollout.Situation) error {
	injection, err := webhooks.LiveInjection(ctx, r.Client, p.mesh.Name)
	situation.CanaryInjector = injection.Revision
	if err != nil || situation.Strategy != rollout.Canary {
		return err
	}
	if err := checkCanary(p); err != nil {
		situation.CanaryUnsupported = err.Error()
	}
	selector, err := canarySelector(p.mesh)
	if err != nil {
		situation.CanaryUnsupported = fmt.Sprintf("spec.upgrade.strategy.canary.namespaceSelector is not a label selector: %v", err)
		return nil
	}
	members, err := r.Members(ctx, p.mesh.Name)
	if err != nil {
		return err
	}
	for i := range members {
		if members[i].DeletionTimestamp == nil && selector.Matches(labels.Set(members[i].Labels)) {
			situation.CanaryNamespaces = append(situation.CanaryNamespaces, members[i].Name)
		}
	}
	slices.Sort(situation.CanaryNamespaces)
	return nil
}

// checkCanary returns an error if the desired version cannot run as a canary.
func checkCanary(p *pass) error {
	longest := names.WithSuffix(reportService, names.CanarySuffix(p.mesh.Name, p.chosen.Name))
	if len(longest) > validation.DNS1035LabelMaxLength {
		return fmt.Errorf("version %s cannot run as a canary, because its Service %s would have a name of more than %d letters: set spec.upgrade.strategy.type to InPlace for it",
			p.desired.Version, longest, validation.DNS1035LabelMaxLength)
	}
	return nil
}

// canarySelector selects the namespaces of the canary; none when the Mesh does not name them.
func canarySelector(mesh *v1alpha1.Mesh) (labels.Selector, error) {
	upgrade, _, _ := desired.UpgradeSettings(mesh)
	if upgrade.Strategy == nil || upgrade.Strategy.Canary == nil {
		return labels.Nothing(), nil
	}
	return metav1.LabelSelectorAsSelector(&upgrade.Strategy.Canary.NamespaceSelector)
}

// isCanaryOnly returns true if the desired revision is a canary only. It then serves its own sidecars, and no others.
func (p *pass) isCanaryOnly() bool {
	return p.situation.Desired == p.situation.Canary && p.situation.Desired != p.situation.Active
}

// isRestartedByHand is true when people have restarted a workload for a canary, which the operator does not do with manual restarts.
func (p *pass) isRestartedByHand(w rollout.Workload) bool {
	return p.isCanaryOnly() && p.situation.Limits.Manual && w.Sidecars[p.situation.Desired] > 0
}

// target is the revision that the sidecars of a namespace should be of.
func (p *pass) target(namespace string) string {
	if back := takeover.Target(p.mesh); back != "" {
		return back
	}
	if p.plan.CanaryInjector != "" && slices.Contains(p.situation.CanaryNamespaces, namespace) {
		return p.plan.CanaryInjector
	}
	return p.plan.Active
}

// waitForCanaryCertificate keeps a canary from starting before the certificate of its injector exists. The certificates controller issues
// it as soon as the MeshRevision exists.
func (r *Reconciler) waitForCanaryCertificate(ctx context.Context, p *pass) error {
	if p.plan.Canary == "" || p.plan.Canary == p.situation.Canary {
		return nil
	}
	secret, err := r.Secrets.Get(ctx, p.desired.Namespace, secrets.CanaryCert)
	if err != nil {
		return err
	}
	host := names.WithSuffix(names.Injector, names.CanarySuffix(p.mesh.Name, p.plan.Canary)) + "." + p.desired.Namespace + ".svc"
	if secret == nil || !isCertificateOf(secret.Data[corev1.TLSCertKey], host) {
		p.plan = rollout.WaitingPlan(p.situation, "waiting for the certificate of the canary's injector")
		p.RequeueAfter(pollInterval)
	}
	return nil
}

// isCertificateOf is true when the first certificate of a chain (PEM) is that of a host.
func isCertificateOf(chain []byte, host string) bool {
	block, _ := pem.Decode(chain)
	if block == nil {
		return false
	}
	parsed, err := x509.ParseCertificate(block.Bytes)
	return err == nil && parsed.VerifyHostname(host) == nil
}

// reportService is the Service by which the replicas of a controller are found.
const reportService = names.Controller + "-report"
