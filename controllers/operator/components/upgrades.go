package components

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/component/upgrade"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// circumstances are what upgrades of all components depend on.
type circumstances struct {
	// operator is the version of the operator.
	operator string
	// controlPlane describes the rollout of the control plane that has not succeeded. It is empty if there is none.
	controlPlane string
}

// circumstances observes the rollout of the control plane.
func (r *Reconciler) circumstances(ctx context.Context, mesh *v1alpha1.Mesh) (circumstances, error) {
	var list v1alpha1.MeshRevisionList
	if err := r.Client.List(ctx, &list, client.MatchingLabels{names.MeshLabel: mesh.Name}); err != nil {
		return circumstances{}, fmt.Errorf("the MeshRevisions cannot be listed: %w", err)
	}
	current := r.Catalogue.Current()
	return circumstances{operator: current, controlPlane: pendingRollout(mesh, list.Items, desired.StateOf(mesh, current).Version)}, nil
}

// pendingRollout describes the rollout of the wanted version, unless that version is verified and the only one that runs.
func pendingRollout(mesh *v1alpha1.Mesh, revisions []v1alpha1.MeshRevision, version string) string {
	wanted, done := desired.RevisionName(mesh.Name, version), false
	canary := false
	for i := range revisions {
		role := revisions[i].Spec.Role
		canary = canary || role == v1alpha1.RoleCanary || role == v1alpha1.RolePromoting
		if revisions[i].Name == wanted {
			done = revisions[i].Status.VerificationTime != nil && (role == v1alpha1.RoleActive || role == "")
		}
	}
	if done && !canary && !meta.IsStatusConditionTrue(mesh.Status.Conditions, v1alpha1.ConditionUpgrading) {
		return ""
	}
	return fmt.Sprintf("version %s of the control plane, which is not verified yet (see the condition %s)", version, v1alpha1.ConditionUpgrading)
}

// decideUpgrades decides for each component whether its rendered or its last good objects are applied.
func (r *Reconciler) decideUpgrades(ctx context.Context, mesh *v1alpha1.Mesh, rendered []rendering, observed circumstances) {
	upgrading := map[string]bool{}
	for i := range rendered {
		if c := &rendered[i]; c.err == nil && len(c.missing) == 0 && attemptOf(mesh, c.Name()).InProgress() && !isRefused(mesh, c.Name()) {
			upgrading[c.Name()] = true
		}
	}
	for i := range rendered {
		c := &rendered[i]
		if c.err != nil || len(c.missing) > 0 {
			continue
		}
		other := ""
		for _, former := range rendered {
			if other == "" && upgrading[former.Name()] && former.Name() != c.Name() {
				other = former.Name()
			}
		}
		if err := r.decideUpgrade(ctx, mesh, c, observed, other); err != nil {
			c.fail(err)
		}
		upgrading[c.Name()] = c.decision.Attempt.InProgress() && !isRefused(mesh, c.Name())
	}
}

// decideUpgrade decides about one component, and replaces its rendered objects if the last good ones are applied.
func (r *Reconciler) decideUpgrade(ctx context.Context, mesh *v1alpha1.Mesh, c *rendering, observed circumstances, other string) error {
	deployment, workload, others := splitWorkload(c.objects)
	if deployment == nil {
		return nil
	}
	live, err := r.readLive(ctx, referencesOf([]*unstructured.Unstructured{deployment})[0])
	if err != nil || live != nil && apply.IgnoresDrift(live.GetAnnotations()) {
		return err
	}
	key, err := keyOf(workload)
	if err != nil {
		return err
	}
	good, err := r.lastGood(ctx, mesh, c.Name(), deployment, live)
	if err != nil {
		return err
	}
	o := upgrade.Observation{
		Now: r.Now(), Key: fmt.Sprintf("%s/%d/%s", key, mesh.Generation, observed.operator), Latest: attemptOf(mesh, c.Name()),
		ControlPlane: observed.controlPlane, Other: other, RolledOut: live != nil && hasTemplate(live, deployment) && isRolledOut(live),
		Refused: isRefused(mesh, c.Name()),
	}
	o.Resumed = o.Latest.InProgress() && r.attempts.isInterrupted(mesh.Name, c.Name(), o.Now)
	if live != nil && !o.RolledOut {
		// The former pods may be ready, while a quota admits no new ones.
		o.Problem = cmp.Or(c.Health(r.readAll(ctx, c.objects)).Message, component.DeploymentFailure(live))
	}
	c.problem = o.Problem
	if good != nil {
		o.HasGood, o.Unchanged = true, good.key == key
		o.NewVersion = good.version != observed.operator || !slices.Equal(imagesOf(good.objects), imagesOf(workload))
	}
	c.decision = upgrade.Decide(o)
	r.attempts.record(mesh.Name, c.Name(), o.Now)
	switch c.decision.Action {
	case upgrade.Accept:
		if good == nil || good.key != key || good.version != observed.operator {
			good = &lastGood{objects: workload, key: key, version: observed.operator}
		}
	case upgrade.Wait, upgrade.HoldBack:
		c.objects = append(others, good.objects...)
	case upgrade.Install, upgrade.Try:
	}
	if good == nil {
		return nil
	}
	return r.addRecord(mesh, c, good)
}

// readAll returns the live objects of a component that can be read.
func (r *Reconciler) readAll(ctx context.Context, objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	var all []*unstructured.Unstructured
	for _, reference := range referencesOf(objects) {
		if live, err := r.readLive(ctx, reference); err == nil && live != nil {
			all = append(all, live)
		}
	}
	return all
}

// addRecord adds the record of the last good objects to a component.
func (r *Reconciler) addRecord(mesh *v1alpha1.Mesh, c *rendering, good *lastGood) (err error) {
	if c.record, err = recordOf(mesh, c.Name(), good); err != nil {
		return err
	}
	return nil
}

// lastGood returns the last good objects of a component. An operator without records left none: then they are those that run, if all pods
// are ready and differ from the rendered ones.
func (r *Reconciler) lastGood(ctx context.Context, mesh *v1alpha1.Mesh, name string, deployment, live *unstructured.Unstructured) (*lastGood, error) {
	good, err := r.readRecord(ctx, name, deployment.GetNamespace())
	if good != nil || err != nil {
		return good, err
	}
	if live == nil || live.GetLabels()[names.MeshLabel] != mesh.Name || hasTemplate(live, deployment) || !isRolledOut(live) {
		return nil, nil
	}
	good = &lastGood{}
	for _, reference := range inventoryOf(mesh, name) {
		if reference.Kind != "Deployment" && reference.Kind != "ConfigMap" {
			continue
		}
		object, err := r.readLive(ctx, reference)
		if err != nil {
			return nil, err
		}
		if object != nil && isWorkload(object) && object.GetName() != recordName(name) {
			good.objects = append(good.objects, withoutServerFields(object))
		}
	}
	if len(good.objects) == 0 {
		return nil, nil
	}
	return good, nil
}

// attemptOf returns the recorded attempt of a component.
func attemptOf(mesh *v1alpha1.Mesh, name string) upgrade.Attempt {
	for _, c := range mesh.Status.Components {
		if c.Name == name && c.Upgrade != nil {
			return upgrade.Attempt{
				Key: c.Upgrade.Attempt, Started: c.Upgrade.StartTime.Time, ReadySince: ptr.Deref(c.Upgrade.ReadyTime, metav1.Time{}).Time, Failure: c.Upgrade.Failure,
			}
		}
	}
	return upgrade.Attempt{}
}

// statusOf is the status of an attempt, or nil for none.
func statusOf(attempt upgrade.Attempt) *v1alpha1.ComponentUpgrade {
	if attempt.Key == "" {
		return nil
	}
	status := &v1alpha1.ComponentUpgrade{
		Attempt: attempt.Key, StartTime: metav1.NewTime(attempt.Started.Truncate(time.Second)), Failure: attempt.Failure,
	}
	if !attempt.ReadySince.IsZero() {
		status.ReadyTime = ptr.To(metav1.NewTime(attempt.ReadySince.Truncate(time.Second)))
	}
	return status
}
