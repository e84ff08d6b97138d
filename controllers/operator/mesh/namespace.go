package mesh

import (
	"context"
	"fmt"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
)

// namespaceRetry is the requeue interval for a namespace that exists but is not in the cache yet.
const namespaceRetry = 200 * time.Millisecond

// pruneAnnotation keeps Argo CD from deleting an object that an Application does not contain.
const pruneAnnotation = "argocd.argoproj.io/sync-options"

// reconcileNamespace creates the namespace of the mesh. One that exists is used as it is, and stays when the mesh is removed.
func (r *Reconciler) reconcileNamespace(ctx context.Context, s *scope) error {
	namespace, err := r.Namespace(ctx, s.desired.Namespace)
	if err != nil {
		return err
	}
	if namespace == nil {
		return r.createNamespace(ctx, s)
	}
	if namespace.DeletionTimestamp == nil {
		return nil
	}
	// The servers of the webhooks end with the namespace, which may take long to be deleted. No pod shall wait for them.
	if _, err := apply.DeleteLabelled(ctx, r.Client, s.mesh.Name, &admissionv1.MutatingWebhookConfigurationList{}, &admissionv1.ValidatingWebhookConfigurationList{}); err != nil {
		return err
	}
	return fmt.Errorf("the namespace %s is being deleted: the mesh is installed again when it is gone", namespace.Name)
}

// createNamespace creates the namespace; its label marks it as made for this mesh. A namespace that somebody else created at the
// same time, and that the cache does not hold yet, is used as it is.
func (r *Reconciler) createNamespace(ctx context.Context, s *scope) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: s.desired.Namespace, Labels: operand.Labels(s.mesh.Name, ""), Annotations: map[string]string{pruneAnnotation: "Prune=false"},
	}}
	err := r.Client.Create(ctx, namespace, client.FieldOwner(apply.FieldManager))
	if apierrors.IsAlreadyExists(err) {
		s.observeAgain(namespaceRetry)
		return nil
	}
	if err != nil {
		return fmt.Errorf("the namespace %s cannot be created: %w", namespace.Name, err)
	}
	r.Recorder.Eventf(s.mesh, nil, corev1.EventTypeNormal, "Created", "CreateNamespace", "created Namespace %s", namespace.Name)
	return nil
}
