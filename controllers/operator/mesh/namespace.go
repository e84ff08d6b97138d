package mesh

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/controllers/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/names"
	"github.com/openservicemesh/osm-operator/internal/operand"
)

// namespace makes sure that the namespace of the mesh exists. One that exists is taken as it is, and stays when the mesh goes.
func (r *Reconciler) namespace(ctx context.Context, s *scope) error {
	home := &corev1.Namespace{}
	err := r.Client.Get(ctx, client.ObjectKey{Name: s.wanted.Namespace}, home)
	if apierrors.IsNotFound(err) {
		return r.createNamespace(ctx, s)
	}
	if err != nil {
		return fmt.Errorf("the namespace %s cannot be read: %w", s.wanted.Namespace, err)
	}
	if home.DeletionTimestamp != nil {
		if err := r.unhook(ctx, s); err != nil {
			return err
		}
		return fmt.Errorf("the namespace %s is being deleted: the mesh is installed again when it is gone", home.Name)
	}
	s.home = home
	return nil
}

// createNamespace makes the namespace; its label says that it was made for this mesh.
func (r *Reconciler) createNamespace(ctx context.Context, s *scope) error {
	home := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.wanted.Namespace, Labels: operand.Labels(s.mesh.Name, "")}}
	err := r.Client.Create(ctx, home, client.FieldOwner(apply.FieldManager))
	if apierrors.IsAlreadyExists(err) {
		return r.Live.Get(ctx, client.ObjectKeyFromObject(home), home)
	}
	if err != nil {
		return fmt.Errorf("the namespace %s cannot be created: %w", home.Name, err)
	}
	r.say(s, corev1.EventTypeNormal, "Created", "CreateNamespace", "created Namespace %s", home.Name)
	s.home = home
	return nil
}

// madeNamespace says whether a namespace was made for this mesh.
func madeNamespace(s *scope, namespace *corev1.Namespace) bool {
	return namespace.Labels[names.MeshLabel] == s.mesh.Name
}
