package mesh

import (
	"context"
	"fmt"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/controllers/operator/condition"
	"github.com/openservicemesh/osm-operator/internal/names"
	"github.com/openservicemesh/osm-operator/internal/rollout"
)

const (
	// hearsay is how long a change of the MeshConfig, or of a webhook, is given to reach every replica of the control plane, or of the
	// API server: none of them can be asked whether it knows.
	hearsay = 3 * time.Second
	// targetLength is how much of the Mesh's UID tells a removal from an earlier one of a mesh of that name.
	targetLength = 8
)

// restartsSidecars says whether the operator takes the sidecars out when the Mesh is deleted.
func restartsSidecars(mesh *v1alpha1.Mesh) bool {
	return ptr.Deref(ptr.Deref(mesh.Spec.Removal, v1alpha1.RemovalSpec{}).Sidecars, v1alpha1.SidecarsWait) == v1alpha1.SidecarsRestart
}

// withoutSidecars is what workloads are restarted for, in place of a revision. No revision has such a name.
func withoutSidecars(mesh *v1alpha1.Mesh) string {
	return "no-sidecar-of-" + mesh.Name + "-" + string(mesh.UID)[:min(len(mesh.UID), targetLength)]
}

// takeOut takes the sidecars out of workloads. A pod without a sidecar cannot call one that has one, nor be called by it, as long as the
// mesh speaks mutual TLS; so before the first pod loses its sidecar, all sidecars learn to let in whoever asks, then to send everything
// unchanged to where it was going. From then on it makes no difference who has a sidecar. New pods get one until that is so.
func (r *Reconciler) takeOut(ctx context.Context, s *scope, left []rollout.Ref) (condition.Verdict, error) {
	workloads, err := r.DataPlane.Leaving(ctx, s.mesh.Name, withoutSidecars(s.mesh))
	if err != nil {
		return condition.Verdict{}, err
	}
	s.situation.Workloads = workloads
	s.mesh.Status.Proxies = countProxies(s)
	for _, step := range []struct {
		phase string
		run   func(context.Context, *scope) (string, error)
	}{
		{v1alpha1.RemovalOpening, r.openUp},
		{v1alpha1.RemovalTransparent, r.becomeTransparent},
		{v1alpha1.RemovalInjectionOff, r.injectNoMore},
	} {
		waiting, err := step.run(ctx, s)
		if err != nil {
			return condition.Verdict{}, err
		}
		if waiting != "" {
			return r.removing(s, step.phase, v1alpha1.ReasonRemovingSidecars, len(left), countSidecars(left)+"; "+waiting), nil
		}
	}
	wave, err := r.restartWithout(ctx, s)
	if err != nil {
		return condition.Verdict{}, err
	}
	reason, message := v1alpha1.ReasonRemovingSidecars, countSidecars(left)
	if wave.Done() && len(wave.Stuck) == 0 {
		reason = v1alpha1.ReasonWaitingForSidecars
	}
	if doing := told(wave); doing != "" {
		message += "; " + doing
	}
	return r.removing(s, v1alpha1.RemovalRestarting, reason, len(left), message), nil
}

// openUp makes all sidecars let in whoever asks.
func (r *Reconciler) openUp(ctx context.Context, s *scope) (string, error) {
	return r.announce(ctx, s, v1alpha1.RemovalOpening, names.LeavingOpen)
}

// becomeTransparent makes all sidecars send everything unchanged to where it was going.
func (r *Reconciler) becomeTransparent(ctx context.Context, s *scope) (string, error) {
	return r.announce(ctx, s, v1alpha1.RemovalTransparent, names.LeavingTransparent)
}

// injectNoMore takes the injector's webhook away, and waits until every API server has noticed.
func (r *Reconciler) injectNoMore(ctx context.Context, s *scope) (string, error) {
	left, err := r.deleteAll(ctx, s, &admissionv1.MutatingWebhookConfigurationList{})
	if err != nil {
		return "", err
	}
	if s.mesh.Status.Removal != nil && s.mesh.Status.Removal.Phase == v1alpha1.RemovalRestarting {
		return "", nil
	}
	if left > 0 || r.Now().Sub(r.removingSince(s, v1alpha1.RemovalInjectionOff)) < hearsay {
		return "turning injection off", nil
	}
	return "", nil
}

// restartWithout restarts the next workloads, whose new pods get no sidecar any more. That the Mesh asks for restarts by hand when it
// is upgraded does not count: it has asked for these.
func (r *Reconciler) restartWithout(ctx context.Context, s *scope) (rollout.Wave, error) {
	limits, target := limitsOf(s.mesh), withoutSidecars(s.mesh)
	limits.Manual = false
	wave := rollout.NextWave(s.situation.Workloads, target, limits, r.Now())
	for _, ref := range wave.Restart {
		err := r.DataPlane.Restart(ctx, ref, target, r.Now())
		if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
			// Somebody has changed it since it was observed: it is looked at again.
			continue
		}
		if err != nil {
			return wave, err
		}
		r.Metrics.Restarted(s.mesh.Name)
		r.say(s, corev1.EventTypeNormal, "Restarted", "TakeOut "+ref.String(), "restarted %s without a sidecar", ref)
	}
	return wave, nil
}

// transparent says whether new pods get no sidecar any more, and those that have one treat others as if they had none.
func (r *Reconciler) transparent(ctx context.Context, s *scope, said string) (bool, error) {
	if said != names.LeavingTransparent {
		return false, nil
	}
	if before := s.mesh.Status.Removal; before != nil && (before.Phase == v1alpha1.RemovalInjectionOff || before.Phase == v1alpha1.RemovalRestarting) {
		return true, nil
	}
	err := r.Client.Get(ctx, client.ObjectKey{Name: names.MutatingWebhook(s.mesh.Name)}, &admissionv1.MutatingWebhookConfiguration{})
	if client.IgnoreNotFound(err) != nil {
		return false, fmt.Errorf("the webhook of the injector cannot be read: %w", err)
	}
	return err != nil, nil
}
