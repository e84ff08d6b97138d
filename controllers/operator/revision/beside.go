package revision

import (
	"context"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/controllers/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/operand"
)

// suffixes are those of the control planes that a revision runs in its role: its own beside the mesh's, which comes first because its
// pods are those that are counted, and the mesh's own, without a suffix.
func suffixes(revision *v1alpha1.MeshRevision) []string {
	own := operand.Suffix(revision.Spec.Mesh, revision.Name)
	switch revision.Spec.Role {
	case v1alpha1.RoleBeside:
		return []string{own}
	case v1alpha1.RolePromoting:
		return []string{own, ""}
	}
	return []string{""}
}

// runsBeside says whether a role includes a control plane beside the mesh's own.
func runsBeside(role v1alpha1.Role) bool {
	return role == v1alpha1.RoleBeside || role == v1alpha1.RolePromoting
}

// render renders everything that a revision consists of in its role.
func (r *Reconciler) render(revision *v1alpha1.MeshRevision) ([]*unstructured.Unstructured, error) {
	release, err := r.Catalogue.Release(revision.Spec.Version)
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	for _, suffix := range suffixes(revision) {
		p := desired.Parameters(revision, r.OperatorNamespace)
		p.Beside = suffix
		rendered, err := release.ControlPlane(p)
		if err != nil {
			return nil, err
		}
		objects = append(objects, rendered...)
	}
	return objects, nil
}

// clear deletes what the revision ran beside the mesh's own control plane, once its role does not include that any more. Its names tell
// it from the mesh's own, which another revision may not have taken over yet.
func (r *Reconciler) clear(ctx context.Context, revision *v1alpha1.MeshRevision) error {
	if runsBeside(revision.Spec.Role) {
		return nil
	}
	release, err := r.Catalogue.Release(revision.Spec.Version)
	var unknown *operand.UnknownVersionError
	if errors.As(err, &unknown) {
		// Nobody runs such a version, and what is left of it goes with its revision.
		return nil
	}
	if err != nil || release.CanRunBeside() != nil {
		return err
	}
	p := desired.Parameters(revision, r.OperatorNamespace)
	p.Beside = operand.Suffix(revision.Spec.Mesh, revision.Name)
	objects, err := release.ControlPlane(p)
	if err != nil {
		return err
	}
	for _, object := range objects {
		if err := r.discard(ctx, revision, object); err != nil {
			return err
		}
	}
	return nil
}

// discard deletes a rendered object, if it exists and is the revision's.
func (r *Reconciler) discard(ctx context.Context, revision *v1alpha1.MeshRevision, rendered *unstructured.Unstructured) error {
	typed, err := r.Client.Scheme().New(rendered.GroupVersionKind())
	if err != nil {
		return fmt.Errorf("the kind %s is not known: %w", rendered.GetKind(), err)
	}
	live, ok := typed.(client.Object)
	if !ok {
		return fmt.Errorf("the kind %s has no metadata", rendered.GetKind())
	}
	if err := r.Client.Get(ctx, client.ObjectKeyFromObject(rendered), live); err != nil {
		return client.IgnoreNotFound(err)
	}
	if live.GetDeletionTimestamp() != nil || !metav1.IsControlledBy(live, revision) {
		return nil
	}
	uid := live.GetUID()
	err = r.Client.Delete(ctx, live, client.PropagationPolicy(metav1.DeletePropagationBackground), client.Preconditions{UID: &uid})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("%s %s, which ran beside the mesh's own control plane, cannot be deleted: %w", rendered.GetKind(), rendered.GetName(), err)
	}
	return nil
}
