package revision

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// suffixes are the name suffixes of the control planes that a revision runs: that of the canary, and the empty one of the active control
// plane. The status counts the pods of the first.
func suffixes(revision *v1alpha1.MeshRevision) []string {
	canary := names.CanarySuffix(revision.Spec.Mesh, revision.Name)
	switch revision.Spec.Role {
	case v1alpha1.RoleCanary:
		return []string{canary}
	case v1alpha1.RolePromoting:
		return []string{canary, ""}
	}
	return []string{""}
}

// deleteCanary deletes the canary control plane of a revision whose role does not include it. It finds the objects by their names, which
// have the revision's suffix.
func (r *Reconciler) deleteCanary(ctx context.Context, revision *v1alpha1.MeshRevision) error {
	if observe.RunsCanary(revision.Spec.Role) {
		return nil
	}
	release, err := r.Catalogue.Release(revision.Spec.Version)
	var unknown *operand.UnknownVersionError
	if errors.As(err, &unknown) {
		// The teardown of the mesh deletes the objects of a version that cannot be rendered.
		return nil
	}
	if err != nil {
		return err
	}
	p := desired.Parameters(revision, r.OperatorNamespace)
	p.CanarySuffix = names.CanarySuffix(revision.Spec.Mesh, revision.Name)
	if selected, err := r.isSelected(ctx, revision, p.CanarySuffix); err != nil || selected {
		return err
	}
	objects, err := release.ControlPlane(p)
	if err != nil {
		return err
	}
	for _, object := range objects {
		if err := r.deleteOwned(ctx, revision, object); err != nil {
			return err
		}
	}
	return nil
}

// isSelected reports whether the Service of a canary still selects the canary. Its sidecars lose their control plane if the canary is
// deleted before the Service selects the active one. A change of the Service reconciles the revision again.
func (r *Reconciler) isSelected(ctx context.Context, revision *v1alpha1.MeshRevision, suffix string) (bool, error) {
	name := names.WithSuffix(names.Controller, suffix)
	service := &corev1.Service{}
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: revision.Spec.Namespace, Name: name}, service)
	if client.IgnoreNotFound(err) != nil {
		return false, fmt.Errorf("the Service %s cannot be read: %w", name, err)
	}
	return err == nil && service.Spec.Selector[names.AppLabel] == name, nil
}

// deleteOwned deletes the live object of a rendered one if it was made for the mesh of the revision.
func (r *Reconciler) deleteOwned(ctx context.Context, revision *v1alpha1.MeshRevision, rendered *unstructured.Unstructured) error {
	typed, err := r.Client.Scheme().New(rendered.GroupVersionKind())
	if err != nil {
		return fmt.Errorf("the kind %s is unknown: %w", rendered.GetKind(), err)
	}
	live, ok := typed.(client.Object)
	if !ok {
		return fmt.Errorf("the kind %s has no metadata", rendered.GetKind())
	}
	if err := r.Client.Get(ctx, client.ObjectKeyFromObject(rendered), live); err != nil {
		return client.IgnoreNotFound(err)
	}
	if live.GetDeletionTimestamp() != nil || live.GetLabels()[names.MeshLabel] != revision.Spec.Mesh {
		return nil
	}
	uid := live.GetUID()
	err = r.Client.Delete(ctx, live, client.PropagationPolicy(metav1.DeletePropagationBackground), client.Preconditions{UID: &uid})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("%s %s of the canary cannot be deleted: %w", rendered.GetKind(), rendered.GetName(), err)
	}
	return nil
}
