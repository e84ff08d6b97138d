package upgrade

import (
	"context"
	"fmt"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/secrets"
	"github.com/openservicemesh/osm-operator/internal/operator/takeover"
	"github.com/openservicemesh/osm-operator/internal/operator/webhooks"
)

// findActive reads the revision that runs the mesh by the plan. The webhooks are those of its version.
func (r *Reconciler) findActive(ctx context.Context, p *pass) error {
	p.active = p.current
	if p.plan.Active == "" || p.plan.Active == p.situation.Desired {
		return nil
	}
	active, err := r.readActive(ctx, p.plan.Active)
	if err == nil {
		p.active = active
	}
	return err
}

// readActive reads the revision that runs the mesh, by its name.
func (r *Reconciler) readActive(ctx context.Context, name string) (*v1alpha1.MeshRevision, error) {
	active := &v1alpha1.MeshRevision{}
	if err := r.Client.Get(ctx, client.ObjectKey{Name: name}, active); err != nil {
		return nil, fmt.Errorf("the MeshRevision %s, which runs the mesh, cannot be read: %w", name, err)
	}
	return active, nil
}

// renderWebhooks renders the webhook configurations; none before the first revision exists.
func (r *Reconciler) renderWebhooks(p *pass, injection webhooks.Injection) ([]*unstructured.Unstructured, error) {
	if p.active == nil {
		return nil, nil
	}
	return webhooks.Render(r.Cluster, p.active, p.namespace, injection, p.bundles)
}

// withdrawCanary gives all namespaces back to the active revision's injector, before anything that the canary's injector needs is changed.
func (r *Reconciler) withdrawCanary(ctx context.Context, p *pass) error {
	if p.situation.CanaryInjector == "" || p.situation.CanaryInjector == p.plan.CanaryInjector {
		return nil
	}
	objects, err := r.renderWebhooks(p, webhooks.Injection{})
	if err != nil {
		return err
	}
	for _, object := range objects {
		if webhooks.SecretOf(object) != secrets.InjectorCert {
			continue
		}
		if _, err := p.session.Apply(ctx, object); err != nil {
			return err
		}
		r.Recorder.Eventf(p.mesh, nil, corev1.EventTypeNormal, "CanaryWithdrawn", "Withdraw "+p.situation.CanaryInjector,
			"the mesh's own injector decides about all namespaces again, no longer that of %s", p.situation.CanaryInjector)
	}
	return nil
}

// reconcileWebhooks registers each webhook once something answers it: with failure policy Fail, a webhook before its server would keep every
// pod of the mesh from starting. What is registered stays, because a pod without a sidecar is outside every policy.
func (r *Reconciler) reconcileWebhooks(ctx context.Context, p *pass) error {
	if !takeover.MayRegister(p.mesh) {
		return nil
	}
	objects, err := r.renderWebhooks(p, webhooks.Injection{Revision: p.plan.CanaryInjector, Namespaces: p.situation.CanaryNamespaces})
	if err != nil {
		return err
	}
	for _, object := range objects {
		live, err := webhooks.Registered(ctx, r.Client, object)
		if err != nil {
			return err
		}
		if live == nil && !isAnswered(p.active, object) {
			continue
		}
		if live == nil || p.plan.CanaryInjector != p.situation.CanaryInjector {
			missing, err := r.missingService(ctx, object)
			if err != nil {
				return err
			}
			if missing != "" {
				// The event of the Service is the next reconciliation.
				continue
			}
		}
		if live == nil {
			if recorded, err := r.isRecorded(ctx, p, object); err != nil || !recorded {
				return err
			}
			if err := takeover.DeleteDeadWebhooks(ctx, r.Live, r.Client, r.Recorder, p.mesh); err != nil {
				return err
			}
		}
		if _, err := p.session.Apply(ctx, object); err != nil {
			return err
		}
	}
	if p.plan.CanaryInjector != "" && p.plan.CanaryInjector != p.situation.CanaryInjector {
		r.Recorder.Eventf(p.mesh, nil, corev1.EventTypeNormal, "CanaryInjects", "Inject "+p.plan.CanaryInjector,
			"new pods of %s get the sidecars of %s from now on",
			strings.Join(p.situation.CanaryNamespaces, ", "), p.plan.CanaryInjector)
	}
	return nil
}

// isRecorded reports whether a webhook configuration may be overwritten: during a takeover, what the Open Service Mesh has there is recorded first.
// It is read from the API server, because the cache may hold an earlier Mesh.
func (r *Reconciler) isRecorded(ctx context.Context, p *pass, object *unstructured.Unstructured) (bool, error) {
	if takeover.Of(p.mesh) == nil {
		return true, nil
	}
	live, err := webhooks.Registered(ctx, r.Live, object)
	if err != nil || live == nil {
		return err == nil, err
	}
	if !takeover.MayReplace(live) {
		p.RequeueAfter(pollInterval)
		return false, nil
	}
	return true, nil
}

// isAnswered is true when at least one pod serves a webhook configuration.
func isAnswered(current *v1alpha1.MeshRevision, object *unstructured.Unstructured) bool {
	switch {
	case current == nil:
		return false
	case object.GetKind() == "MutatingWebhookConfiguration":
		return current.Status.Injector.Ready > 0
	}
	return current.Status.Controller.Ready > 0
}

// missingService returns the first Service of a webhook configuration that does not exist. Services are components and may come later.
func (r *Reconciler) missingService(ctx context.Context, object *unstructured.Unstructured) (string, error) {
	var configuration admissionv1.MutatingWebhookConfiguration
	// Both kinds of configuration have the same client configuration.
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &configuration); err != nil {
		return "", fmt.Errorf("the webhook configuration %s cannot be read: %w", object.GetName(), err)
	}
	for _, webhook := range configuration.Webhooks {
		service := webhook.ClientConfig.Service
		if service == nil {
			continue
		}
		err := r.Client.Get(ctx, client.ObjectKey{Namespace: service.Namespace, Name: service.Name}, &corev1.Service{})
		if apierrors.IsNotFound(err) {
			return service.Name, nil
		}
		if err != nil {
			return "", fmt.Errorf("the Service %s cannot be read: %w", service.Name, err)
		}
	}
	return "", nil
}
