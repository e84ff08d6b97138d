package mesh

import (
	"context"
	"fmt"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/adopt"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// pollForeign is how often a mesh looks again whether an OSM that stands in its way is gone.
const pollForeign = 30 * time.Second

// checkForeign rejects a Mesh that would take over a running OSM, and makes what a removed one has left readable. What is not the operator's is
// not watched, so the API server is asked, and only until the control plane of the mesh exists.
func (r *Reconciler) checkForeign(ctx context.Context, s *scope) error {
	installed, err := r.IsDeployed(ctx, s.mesh.Name, s.desired.Namespace)
	if err != nil || installed {
		return err
	}
	found, err := adopt.FindConflict(ctx, r.Live, s.mesh.Name, s.desired.Namespace)
	if err != nil {
		return err
	}
	if found != nil {
		s.RequeueAfter(pollForeign)
		return &observe.StalledError{Reason: v1alpha1.ReasonNamespaceClaimed, Message: found.Conflict()}
	}
	if err := r.checkWebhook(ctx, s); err != nil {
		return err
	}
	repaired, err := adopt.RepairConversions(ctx, r.Live, r.Client)
	if len(repaired) > 0 {
		r.Recorder.Eventf(s.mesh, nil, corev1.EventTypeNormal, "Adopted", "RepairConversion",
			"the conversion webhook of %s was taken out of the definitions: its Service does not exist", strings.Join(repaired, ", "))
	}
	return err
}

// checkWebhook rejects a mesh whose name an injector elsewhere answers for.
func (r *Reconciler) checkWebhook(ctx context.Context, s *scope) error {
	webhook := &admissionv1.MutatingWebhookConfiguration{}
	err := r.Live.Get(ctx, client.ObjectKey{Name: names.MutatingWebhook(s.mesh.Name)}, webhook)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the webhook configuration %s cannot be read: %w", names.MutatingWebhook(s.mesh.Name), err)
	}
	if webhook.Labels[names.MeshLabel] == s.mesh.Name {
		return nil
	}
	answered, err := adopt.IsServed(ctx, r.Live, webhook, s.desired.Namespace)
	if err != nil || !answered {
		return err
	}
	s.RequeueAfter(pollForeign)
	return &observe.StalledError{Reason: v1alpha1.ReasonNamespaceClaimed, Message: fmt.Sprintf(
		"the MutatingWebhookConfiguration %s exists, was not made for this Mesh, and is answered by another injector: remove that mesh first, or choose another name for this one", webhook.Name)}
}

// adoptDefinition lets the operator keep a definition that an OSM has left, so that all versions are served which control planes
// read. As long as any OSM runs in the cluster, it is that one's.
func (r *Reconciler) adoptDefinition(ctx context.Context, s *scope, ours *unstructured.Unstructured, theirs *apiextensionsv1.CustomResourceDefinition) (bool, error) {
	if !adopt.IsFromOSM(theirs) {
		return false, nil
	}
	running, err := adopt.List(ctx, r.Live)
	if err != nil || len(running) > 0 {
		return false, err
	}
	if _, _, err := r.Applier.ApplyWithoutEvents(ctx, ours); err != nil {
		return false, err
	}
	r.Recorder.Eventf(s.mesh, nil, corev1.EventTypeNormal, "Adopted", "Adopt "+theirs.Name, "took over the definition %s, which an Open Service Mesh has left", theirs.Name)
	return true, nil
}
