package teardown

import (
	"context"
	"fmt"
	"slices"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/conditions"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/operator/health"
	"github.com/openservicemesh/osm-operator/internal/operator/restart"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/operator/takeover"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// propagationDelay is how long a change of the MeshConfig, or of a webhook, takes at most to reach every replica of the control plane,
	// or of the API server. None of them reports that it has.
	propagationDelay = 3 * time.Second
	// targetLength is how much of the Mesh's UID distinguishes a removal from an earlier one of a mesh of that name.
	targetLength = 8
)

// restartsSidecars is true when the operator removes the sidecars of a Mesh that is deleted.
func restartsSidecars(mesh *v1alpha1.Mesh) bool {
	return ptr.Deref(ptr.Deref(mesh.Spec.Removal, v1alpha1.RemovalSpec{}).Sidecars, v1alpha1.SidecarsWait) == v1alpha1.SidecarsRestart
}

// restartTarget stands in for a revision in restarts that remove the sidecar. No revision has such a name.
func restartTarget(mesh *v1alpha1.Mesh) string {
	return "no-sidecar-of-" + mesh.Name + "-" + string(mesh.UID)[:min(len(mesh.UID), targetLength)]
}

// removeSidecars removes the sidecars from workloads. While the mesh uses mutual TLS, pods with and without a sidecar cannot call each
// other. So before the first pod loses its sidecar, all sidecars first accept every caller, then pass all traffic through unchanged. From
// then on it makes no difference which pods have a sidecar. New pods get one until then.
func (r *Reconciler) removeSidecars(ctx context.Context, p *pass, remaining []rollout.Ref) (conditions.Assessment, error) {
	workloads, err := r.DataPlane.WorkloadsForTeardown(ctx, p.mesh.Name, restartTarget(p.mesh))
	if err != nil {
		return conditions.Assessment{}, err
	}
	p.workloads = workloads
	for _, step := range []struct {
		phase v1alpha1.RemovalPhase
		run   func(context.Context, *pass, v1alpha1.RemovalPhase) (string, error)
	}{
		{v1alpha1.RemovalOpening, r.setTeardownMode},
		{v1alpha1.RemovalTransparent, r.setTeardownMode},
		{v1alpha1.RemovalInjectionOff, r.stopInjection},
	} {
		waiting, err := step.run(ctx, p, step.phase)
		if err != nil {
			return conditions.Assessment{}, err
		}
		if waiting != "" {
			return r.setPhase(p, step.phase, v1alpha1.ReasonRemovingSidecars, len(remaining), countSidecars(remaining)+"; "+waiting), nil
		}
	}
	wave, err := r.restartWithout(ctx, p)
	if err != nil {
		return conditions.Assessment{}, err
	}
	return r.setRestarting(p, wave, remaining), nil
}

// setRestarting assesses the restarts of workloads with remaining sidecars.
func (r *Reconciler) setRestarting(p *pass, wave rollout.Wave, remaining []rollout.Ref) conditions.Assessment {
	reason, message := v1alpha1.ReasonRemovingSidecars, countSidecars(remaining)
	if wave.Done() && len(wave.Blocked) == 0 {
		reason = v1alpha1.ReasonWaitingForSidecars
	}
	if doing := restart.Describe(wave); doing != "" {
		message += "; " + doing
	}
	return r.setPhase(p, v1alpha1.RemovalRestarting, reason, len(remaining), message)
}

// stopInjection deletes the injector's webhook, and waits until every API server has noticed.
func (r *Reconciler) stopInjection(ctx context.Context, p *pass, phase v1alpha1.RemovalPhase) (string, error) {
	left, err := apply.DeleteLabelled(ctx, r.Client, p.mesh.Name, &admissionv1.MutatingWebhookConfigurationList{})
	if err != nil {
		return "", err
	}
	if p.mesh.Status.Removal != nil && p.mesh.Status.Removal.Phase == v1alpha1.RemovalRestarting {
		return "", nil
	}
	if left.Count > 0 || r.Now().Sub(r.phaseStart(p, phase)) < propagationDelay {
		return "turning injection off", nil
	}
	return "", nil
}

// restartWithout restarts the next workloads, whose new pods get no sidecar. spec.removal asks for these restarts, also when upgrades
// leave restarts to people.
func (r *Reconciler) restartWithout(ctx context.Context, p *pass) (rollout.Wave, error) {
	limits, target := desired.Limits(p.mesh), restartTarget(p.mesh)
	limits.Manual, limits.Denied = false, r.Restarter.Denied(ctx, p.mesh)
	wave := rollout.NextWave(p.workloads, target, limits, r.Now())
	_, err := r.Restarter.Run(ctx, p.mesh, wave, "RemoveSidecar", func(ref rollout.Ref) string {
		return fmt.Sprintf("restarted %s without a sidecar", ref)
	})
	return wave, err
}

// isPassingThrough is true when new pods get no sidecar, and all existing sidecars pass traffic through.
func (r *Reconciler) isPassingThrough(ctx context.Context, p *pass, said string) (bool, error) {
	if said != names.TeardownPassthrough {
		return false, nil
	}
	if before := p.mesh.Status.Removal; before != nil && (before.Phase == v1alpha1.RemovalInjectionOff || before.Phase == v1alpha1.RemovalRestarting) {
		return true, nil
	}
	err := r.Client.Get(ctx, client.ObjectKey{Name: names.MutatingWebhook(p.mesh.Name)}, &admissionv1.MutatingWebhookConfiguration{})
	if client.IgnoreNotFound(err) != nil {
		return false, fmt.Errorf("the webhook of the injector cannot be read: %w", err)
	}
	return err != nil, nil
}

// teardownModes are the modes of a teardown, in their order.
var teardownModes = []string{names.TeardownOpen, names.TeardownPassthrough}

// setTeardownMode sets the mode of a phase for the control planes of the mesh, by an annotation of the MeshConfig, and waits until all sidecars act on
// it. It returns what it waits for: nothing when they do, when there is no control plane, or after the timeout.
func (r *Reconciler) setTeardownMode(ctx context.Context, p *pass, phase v1alpha1.RemovalPhase) (string, error) {
	mode := map[v1alpha1.RemovalPhase]string{v1alpha1.RemovalOpening: names.TeardownOpen, v1alpha1.RemovalTransparent: names.TeardownPassthrough}[phase]
	config, err := r.liveMeshConfig(ctx, p)
	if err != nil || config == nil {
		return "", err
	}
	current := config.Annotations[names.TeardownAnnotation]
	if over, err := r.isPassingThrough(ctx, p, current); over || err != nil {
		return "", err
	}
	switch step := slices.Index(teardownModes, current) - slices.Index(teardownModes, mode); {
	case step > 0:
		return "", nil
	case step < 0:
		if err := r.MeshConfigs.SetTeardownMode(ctx, config, mode); err != nil {
			return "", err
		}
	}
	return r.acknowledged(ctx, p, phase)
}

// liveMeshConfig is the MeshConfig that carries the mode. One that somebody has deleted is created again. There is none when the namespace is
// gone or being deleted, and the control planes with it.
func (r *Reconciler) liveMeshConfig(ctx context.Context, p *pass) (*configv1alpha2.MeshConfig, error) {
	namespace := &corev1.Namespace{}
	if err := r.Client.Get(ctx, client.ObjectKey{Name: p.desired.Namespace}, namespace); err != nil || namespace.DeletionTimestamp != nil {
		return nil, client.IgnoreNotFound(err)
	}
	live, err := r.MeshConfigs.GetOrCreate(ctx, p.mesh)
	if err != nil {
		return nil, fmt.Errorf("the MeshConfig, which carries the mode of the teardown, cannot be read or created: %w", err)
	}
	return live, nil
}

// acknowledged returns what is missing until every sidecar acts on the mode; nothing when all do, or after the timeout of a step of an upgrade.
// Calls of sidecars that have not acknowledged by then may fail.
func (r *Reconciler) acknowledged(ctx context.Context, p *pass, phase v1alpha1.RemovalPhase) (string, error) {
	purpose := "all sidecars are being configured to accept pods without one"
	if phase == v1alpha1.RemovalTransparent {
		purpose = "all sidecars are being configured to pass all traffic through"
	}
	waited := r.Now().Sub(r.phaseStart(p, phase))
	if waited < propagationDelay {
		return purpose, nil
	}
	missing, err := r.unacknowledged(ctx, p)
	if err != nil || missing == "" {
		return "", err
	}
	if limit := desired.Bounds(p.mesh).Timeout; waited > limit {
		r.Recorder.Eventf(p.mesh, nil, corev1.EventTypeWarning, "SidecarsNotConfigured", "Configure "+string(phase), "after %s the removal goes on without some sidecars, whose calls may fail until they are gone: %s", limit.Round(time.Second), missing)
		return "", nil
	}
	return purpose + ", and " + missing, nil
}

// unacknowledged returns which sidecars are not known to have acknowledged the mode; empty when all have.
func (r *Reconciler) unacknowledged(ctx context.Context, p *pass) (string, error) {
	expected := 0
	for _, w := range p.workloads {
		if w.Ready {
			for _, n := range w.Sidecars {
				expected += n
			}
		}
	}
	root, err := r.Root(ctx, p.desired.Namespace)
	if err != nil || root == nil {
		return "the control plane cannot be asked how far they are, because the certificate authority is gone", nil
	}
	revisions, err := r.Revisions(ctx, p.mesh.Name)
	if err != nil {
		return "", err
	}
	connected, behind := 0, 0
	for i := range revisions {
		if revisions[i].Spec.Role == v1alpha1.RoleStandby || revisions[i].DeletionTimestamp != nil {
			continue
		}
		reading, err := r.Health.Read(ctx, health.TargetOf(&revisions[i], root.CertPEM()))
		if err != nil {
			return "", err
		}
		if reading.Proxies == nil {
			return "the control plane " + revisions[i].Name + " does not say how far they are", nil
		}
		connected += reading.Proxies.Connected
		behind += reading.Proxies.Behind + reading.Proxies.Rejecting
	}
	switch {
	case connected < expected:
		return fmt.Sprintf("%d of %d are connected to the control plane", connected, expected), nil
	case behind > 0:
		return fmt.Sprintf("%d have not accepted it yet", behind), nil
	}
	return "", nil
}

// goBack gives a mesh that is being taken over back to the Open Service Mesh before anything is deleted. It reports whether that is still going on.
func (r *Reconciler) goBack(ctx context.Context, p *pass) (conditions.Assessment, bool, error) {
	returns, waiting, err := takeover.Returns(ctx, r.Live, p.mesh)
	p.goesBack = returns
	switch {
	case err != nil || !returns || p.removal != nil && p.removal.Phase == v1alpha1.RemovalDeleting:
		return conditions.Assessment{}, false, err
	case waiting != "":
		return r.setPhase(p, v1alpha1.RemovalWaiting, v1alpha1.ReasonWaitingForSidecars, 0, waiting), true, nil
	case !restartsSidecars(p.mesh):
		return conditions.Assessment{}, false, nil
	}
	remaining, err := r.remainingSidecars(ctx, p)
	if err != nil || len(remaining) == 0 {
		return conditions.Assessment{}, false, err
	}
	wave, err := takeover.Teardown{Reader: r.Client, DataPlane: r.DataPlane, Restarter: r.Restarter}.Restart(ctx, p.mesh, p.desired.Namespace, r.Now())
	if err != nil {
		return conditions.Assessment{}, false, err
	}
	return r.setRestarting(p, wave, remaining), true, nil
}
