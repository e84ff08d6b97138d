package mesh

import (
	"context"
	"fmt"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/controllers/operator/apply"
	"github.com/openservicemesh/osm-operator/controllers/operator/desired"
	"github.com/openservicemesh/osm-operator/controllers/operator/secrets"
	"github.com/openservicemesh/osm-operator/internal/names"
	"github.com/openservicemesh/osm-operator/internal/operand"
)

// webhooks registers each webhook once something answers it: with failure policy Fail, a webhook before its server would keep every
// pod of the mesh from starting. What is registered stays, because a pod without a sidecar is outside every policy.
func (r *Reconciler) webhooks(ctx context.Context, s *scope) error {
	objects, err := r.renderWebhooks(s, s.canaryOf())
	if err != nil {
		return err
	}
	for _, object := range objects {
		registered, err := r.registered(ctx, object)
		if err != nil {
			return err
		}
		if !registered && !answered(s.baseRevision, object) {
			s.pending = append(s.pending, fmt.Sprintf("%s is registered as soon as its pods are ready", object.GetName()))
			continue
		}
		if !registered {
			if err := r.clearWebhooks(ctx, s); err != nil {
				return err
			}
		}
		if _, err := r.Applier.One(ctx, s.mesh, object); err != nil {
			return err
		}
	}
	if s.plan.Injects != "" && s.plan.Injects != s.situation.Injects {
		r.say(s, corev1.EventTypeNormal, "CanaryInjects", "Inject "+s.plan.Injects, "new pods of %s get the sidecars of %s from now on",
			strings.Join(s.situation.Chosen, ", "), s.plan.Injects)
	}
	return nil
}

// widenTrust updates the webhooks that are registered.
func (r *Reconciler) widenTrust(ctx context.Context, s *scope) error {
	objects, err := r.renderWebhooks(s, s.canaryOf())
	if err != nil {
		return err
	}
	for _, object := range objects {
		registered, err := r.registered(ctx, object)
		if err != nil {
			return err
		}
		if !registered || len(s.bundles[bundleOf(object)]) == 0 {
			continue
		}
		if _, err := r.Applier.One(ctx, s.mesh, object); err != nil {
			return err
		}
	}
	return nil
}

// renderWebhooks renders the webhook configurations. The namespace of the mesh owns them: when it is deleted, however that happens,
// they go as well, and no pod waits for a server that is gone.
func (r *Reconciler) renderWebhooks(s *scope, canary *operand.Canary) ([]*unstructured.Unstructured, error) {
	p := r.parameters(s)
	p.Canary = canary
	objects, err := s.base.Webhooks(p, s.bundles[secrets.InjectorCert], s.bundles[secrets.ValidatorCert])
	if err != nil {
		return nil, err
	}
	return objects, apply.Own(s.home, r.Client.Scheme(), objects...)
}

// bundleOf names the Secret with the certificate that serves a webhook configuration.
func bundleOf(object *unstructured.Unstructured) string {
	if object.GetKind() == "MutatingWebhookConfiguration" {
		return secrets.InjectorCert
	}
	return secrets.ValidatorCert
}

// answered says whether at least one pod serves a webhook configuration.
func answered(current *v1alpha1.MeshRevision, object *unstructured.Unstructured) bool {
	switch {
	case current == nil:
		return false
	case object.GetKind() == "MutatingWebhookConfiguration":
		return current.Status.Injector.Ready > 0
	}
	return current.Status.Controller.Ready > 0
}

// registered says whether a webhook configuration exists.
func (r *Reconciler) registered(ctx context.Context, object *unstructured.Unstructured) (bool, error) {
	var live client.Object = &admissionv1.ValidatingWebhookConfiguration{}
	if object.GetKind() == "MutatingWebhookConfiguration" {
		live = &admissionv1.MutatingWebhookConfiguration{}
	}
	err := r.Client.Get(ctx, client.ObjectKeyFromObject(object), live)
	if client.IgnoreNotFound(err) != nil {
		return false, fmt.Errorf("the webhook configuration %s cannot be read: %w", object.GetName(), err)
	}
	return err == nil, nil
}

// liveRevision reads the MeshRevision of the wanted version, or nil.
func (r *Reconciler) liveRevision(ctx context.Context, s *scope) (*v1alpha1.MeshRevision, error) {
	live := &v1alpha1.MeshRevision{}
	err := r.Client.Get(ctx, client.ObjectKey{Name: desired.RevisionName(s.wanted.Name, s.wanted.Version)}, live)
	if client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("the MeshRevision of version %s cannot be read: %w", s.wanted.Version, err)
	}
	if err != nil {
		return nil, nil
	}
	return live, nil
}

// retire deletes the revisions that the plan has no use for, once the wanted one is ready and has taken over their objects: what an
// old revision still owned would go with it.
func (r *Reconciler) retire(ctx context.Context, s *scope) error {
	current, err := r.liveRevision(ctx, s)
	if err != nil || current == nil || current.Status.ObservedGeneration != current.Generation ||
		!meta.IsStatusConditionTrue(current.Status.Conditions, v1alpha1.ConditionReady) {
		return err
	}
	for _, name := range []string{names.Controller, names.Injector} {
		owned := &appsv1.Deployment{}
		err := r.Client.Get(ctx, client.ObjectKey{Namespace: s.wanted.Namespace, Name: name}, owned)
		if err != nil || !metav1.IsControlledBy(owned, current) {
			return client.IgnoreNotFound(err)
		}
	}
	revisions, err := r.revisions(ctx, s)
	if err != nil {
		return err
	}
	for i := range revisions {
		old := &revisions[i]
		if !slices.Contains(s.plan.Retire, old.Name) || old.DeletionTimestamp != nil {
			continue
		}
		if err := client.IgnoreNotFound(r.Client.Delete(ctx, old)); err != nil {
			return fmt.Errorf("the MeshRevision %s, which is replaced, cannot be deleted: %w", old.Name, err)
		}
		r.say(s, corev1.EventTypeNormal, "Replaced", "Retire "+old.Name, "version %s has replaced version %s", current.Spec.Version, old.Spec.Version)
	}
	return nil
}

// revisions lists the MeshRevisions of the mesh.
func (r *Reconciler) revisions(ctx context.Context, s *scope) ([]v1alpha1.MeshRevision, error) {
	var list v1alpha1.MeshRevisionList
	if err := r.Client.List(ctx, &list, client.MatchingLabels{names.MeshLabel: s.mesh.Name}); err != nil {
		return nil, fmt.Errorf("the MeshRevisions cannot be listed: %w", err)
	}
	return list.Items, nil
}
