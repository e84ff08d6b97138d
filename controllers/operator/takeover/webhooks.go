package takeover

import (
	"context"
	"errors"
	"fmt"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/operator/takeover"
	"github.com/openservicemesh/osm-operator/internal/operator/webhooks"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// The kinds of webhook configurations.
const (
	mutating   = "MutatingWebhookConfiguration"
	validating = "ValidatingWebhookConfiguration"
)

// transfer lets the webhooks of this mesh or those of the Open Service Mesh answer, as the declared step says.
func (r *Reconciler) transfer(ctx context.Context, p *pass) error {
	forward := p.progress.WantsInjection()
	if !forward && (p.progress.InEffect == v1alpha1.AdoptionPrepared || p.progress.InEffect == "") {
		// What an operator of an earlier step has written late is still taken back.
		return r.transferKinds(ctx, p, false, nil)
	}
	if !forward && !p.osm.Injects {
		p.blocked = fmt.Sprintf("the Open Service Mesh cannot inject pods, so this mesh goes on to do so: no pod of the Deployment %s/%s is available", p.progress.From, names.Injector)
		return nil
	}
	own, err := r.renderOwn(ctx, p)
	if err != nil {
		return err
	}
	if forward && own == nil {
		p.waiting = "waiting until the control plane of this mesh is ready"
		return nil
	}
	return r.transferKinds(ctx, p, forward, own)
}

// renderOwn renders the webhook configurations of the mesh by their kinds; nil while nothing would answer them.
func (r *Reconciler) renderOwn(ctx context.Context, p *pass) (map[string]*unstructured.Unstructured, error) {
	revisions, err := r.Revisions(ctx, p.mesh.Name)
	if err != nil {
		return nil, err
	}
	active := observe.ActiveRevision(revisions)
	if active == nil || active.Status.Injector.Ready == 0 || active.Status.Controller.Ready == 0 {
		return nil, nil
	}
	namespace, err := r.Namespace(ctx, p.desired.Namespace)
	if err != nil || namespace == nil {
		return nil, err
	}
	bundles, err := webhooks.ReadBundles(ctx, r.Secrets, p.desired.Namespace)
	if err != nil || len(bundles) == 0 {
		return nil, err
	}
	objects, err := webhooks.Render(r.Cluster, active, namespace, webhooks.Injection{}, bundles)
	if err != nil {
		return nil, err
	}
	own := map[string]*unstructured.Unstructured{}
	for _, object := range objects {
		own[object.GetKind()] = object
	}
	return own, nil
}

// transferKinds takes the next step of each webhook configuration of both kinds. Another reconciliation takes those after it.
func (r *Reconciler) transferKinds(ctx context.Context, p *pass, forward bool, own map[string]*unstructured.Unstructured) error {
	var failed []error
	for _, kind := range []string{validating, mutating} {
		failed = append(failed, r.transferKind(ctx, p, r.transferOf(p, kind, forward, own[kind])))
	}
	return errors.Join(failed...)
}

// transferOf is the change of one kind.
func (r *Reconciler) transferOf(p *pass, kind string, forward bool, own *unstructured.Unstructured) takeover.Transfer {
	h := takeover.Transfer{
		Mesh: p.mesh.Name, Namespace: p.desired.Namespace, From: p.progress.From, Kind: kind, Own: own,
		OwnName: names.MutatingWebhook(p.mesh.Name), Forward: forward,
	}
	if kind == validating {
		h.OwnName, h.Optional = names.ValidatingWebhook(p.mesh.Name), true
	}
	return h
}

func (r *Reconciler) transferKind(ctx context.Context, p *pass, h takeover.Transfer) error {
	live, err := r.configurations(ctx, p, h)
	if err != nil {
		return err
	}
	return r.takeSteps(ctx, p, h, live)
}

// takeSteps takes the next step of each webhook configuration of one kind.
func (r *Reconciler) takeSteps(ctx context.Context, p *pass, h takeover.Transfer, live []*unstructured.Unstructured) error {
	steps, err := h.Steps(live)
	if err != nil {
		return err
	}
	for _, step := range steps {
		if err := r.take(ctx, p, h, step); err != nil {
			return err
		}
	}
	return nil
}

// configurations reads the webhook configurations of one kind that concern a takeover. The cache has those of this mesh only.
func (r *Reconciler) configurations(ctx context.Context, p *pass, h takeover.Transfer) ([]*unstructured.Unstructured, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(admissionv1.SchemeGroupVersion.WithKind(h.Kind + "List"))
	if err := r.Live.List(ctx, list, client.MatchingLabels{names.NameLabel: names.AppName}); err != nil {
		return nil, fmt.Errorf("the %ss of the Open Service Mesh cannot be listed: %w", h.Kind, err)
	}
	var found []*unstructured.Unstructured
	for i := range list.Items {
		object := &list.Items[i]
		object.SetGroupVersionKind(admissionv1.SchemeGroupVersion.WithKind(h.Kind))
		if object.GetName() == h.OwnName || h.IsFromOSM(object) {
			found = append(found, object)
		}
	}
	return found, nil
}

// take takes one step.
func (r *Reconciler) take(ctx context.Context, p *pass, h takeover.Transfer, step takeover.Step) error {
	switch step.Action {
	case takeover.Change:
		patch := client.MergeFromWithOptions(step.Before, client.MergeFromWithOptimisticLock{})
		if err := r.Client.Patch(ctx, step.After.DeepCopy(), patch, client.FieldOwner(fieldManager)); err != nil {
			return fmt.Errorf("the %s %s cannot be changed: %w", h.Kind, step.Before.GetName(), err)
		}
		// Reading what follows from the change takes another reconciliation.
		p.waiting = "changing the webhooks"
		r.Recorder.Eventf(p.mesh, nil, corev1.EventTypeNormal, "Adopted", "Change "+step.Before.GetName(), "%s %s: %s", h.Kind,
			step.Before.GetName(), describe(h, step.After))
	case takeover.Remove:
		p.waiting = "changing the webhooks"
		if err := apply.Delete(ctx, r.Client, step.Before); err != nil {
			return err
		}
		r.Recorder.Eventf(p.mesh, nil, corev1.EventTypeNormal, "Adopted", "Delete "+step.Before.GetName(), "deleted the %s %s of this mesh: the Open Service Mesh has its own", h.Kind, step.Before.GetName())
	case takeover.Lost:
		p.blocked = fmt.Sprintf("it is not known what the %s %s of the Open Service Mesh was, because its annotation %s is gone: run "+
			"`kubectl -n %s rollout restart deployment %s %s`, and the Open Service Mesh writes it again",
			h.Kind, step.Before.GetName(), takeover.ReplacedAnnotation, p.progress.From, names.Injector, names.Controller)
	case takeover.Unmanaged:
		p.blocked = fmt.Sprintf("the %s %s belongs neither to this mesh nor to the Open Service Mesh in namespace %s: delete it", h.Kind, step.Before.GetName(), p.progress.From)
	case takeover.Keep:
	}
	return nil
}

// describe is what a changed configuration does.
func describe(h takeover.Transfer, object *unstructured.Unstructured) string {
	webhooks, _, _ := unstructured.NestedSlice(object.Object, "webhooks")
	switch {
	case !strings.Contains(fmt.Sprint(object.GetAnnotations()), takeover.ReplacedAnnotation):
		return "restored what the Open Service Mesh had there"
	case len(webhooks) == 0:
		return "it calls nobody while this mesh takes over"
	}
	return "recorded what the Open Service Mesh has there, in the annotation " + takeover.ReplacedAnnotation
}
