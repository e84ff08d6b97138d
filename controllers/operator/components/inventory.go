package components

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// inventoryOf returns the recorded objects of a component.
func inventoryOf(mesh *v1alpha1.Mesh, name string) []v1alpha1.ObjectReference {
	for _, c := range mesh.Status.Components {
		if c.Name == name {
			return slices.Clone(c.Objects)
		}
	}
	return nil
}

// referencesOf returns references to rendered objects, in their order.
func referencesOf(objects []*unstructured.Unstructured) []v1alpha1.ObjectReference {
	var references []v1alpha1.ObjectReference
	for _, object := range objects {
		references = append(references, referenceOf(object))
	}
	return references
}

func referenceOf(object *unstructured.Unstructured) v1alpha1.ObjectReference {
	return v1alpha1.ObjectReference{
		APIVersion: object.GetAPIVersion(), Kind: object.GetKind(), Namespace: object.GetNamespace(), Name: object.GetName(),
	}
}

// recordInventory adds rendered objects to the inventory before they are created.
func (r *Reconciler) recordInventory(ctx context.Context, mesh *v1alpha1.Mesh, rendered []rendering) error {
	statuses := slices.Clone(mesh.Status.Components)
	changed := false
	for _, c := range rendered {
		i := slices.IndexFunc(statuses, func(s v1alpha1.ComponentStatus) bool { return s.Name == c.Name() })
		if i < 0 {
			statuses = append(statuses, v1alpha1.ComponentStatus{
				Name: c.Name(), Reason: v1alpha1.ReasonProgressing, Message: "the component is being applied",
			})
			i = len(statuses) - 1
		}
		statuses[i].Objects = slices.Clone(statuses[i].Objects)
		for _, reference := range referencesOf(c.all()) {
			if !slices.Contains(statuses[i].Objects, reference) {
				statuses[i].Objects = append(statuses[i].Objects, reference)
				changed = true
			}
		}
	}
	if !changed {
		return nil
	}
	return r.writeStatus(ctx, nil, mesh, statuses)
}

// describeRemoval describes what the objects of a component wait for while they are deleted.
func (r *Reconciler) describeRemoval(ctx context.Context, remaining []v1alpha1.ObjectReference, failed error) string {
	var held []string
	for _, reference := range remaining {
		live := &unstructured.Unstructured{}
		live.SetGroupVersionKind(schema.FromAPIVersionAndKind(reference.APIVersion, reference.Kind))
		if r.Objects.Get(ctx, client.ObjectKey{Namespace: reference.Namespace, Name: reference.Name}, live) != nil {
			continue
		}
		if text := apply.Held(reference.Kind, live); text != "" {
			held = append(held, text)
		}
	}
	text := "being removed"
	if len(held) > 0 {
		text += ", waiting for " + strings.Join(held, ", ")
	}
	if failed != nil {
		text += ": " + failed.Error()
	}
	return text
}

// prune deletes the recorded objects that are not in keep, and returns those that still exist.
func (r *Reconciler) prune(ctx context.Context, mesh *v1alpha1.Mesh, recorded, keep []v1alpha1.ObjectReference) ([]v1alpha1.ObjectReference, error) {
	var remaining []v1alpha1.ObjectReference
	var failed []error
	for _, reference := range recorded {
		if slices.Contains(keep, reference) {
			continue
		}
		exists, err := r.deleteObject(ctx, mesh, reference)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s %s cannot be deleted: %w", reference.Kind, strings.TrimPrefix(reference.Namespace+"/"+reference.Name, "/"), err))
		}
		if exists || err != nil {
			remaining = append(remaining, reference)
		}
	}
	return remaining, errors.Join(failed...)
}

// deleteObject deletes an object that was made for the mesh, and reports whether it existed. Objects of users and of other meshes are not deleted.
func (r *Reconciler) deleteObject(ctx context.Context, mesh *v1alpha1.Mesh, reference v1alpha1.ObjectReference) (exists bool, err error) {
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(schema.FromAPIVersionAndKind(reference.APIVersion, reference.Kind))
	err = r.Objects.Get(ctx, client.ObjectKey{Namespace: reference.Namespace, Name: reference.Name}, live)
	var unreadable *unreadableError
	if errors.As(err, &unreadable) {
		return true, fmt.Errorf("%w; or delete it by hand", err)
	}
	if meta.IsNoMatchError(err) || client.IgnoreNotFound(err) == nil && err != nil {
		return false, nil
	}
	if err != nil {
		return true, err
	}
	if live.GetLabels()[names.MeshLabel] != mesh.Name {
		return false, nil
	}
	if live.GetDeletionTimestamp() != nil {
		return true, nil
	}
	uid := live.GetUID()
	err = r.Objects.Delete(ctx, live, client.PropagationPolicy(metav1.DeletePropagationBackground), client.Preconditions{UID: &uid})
	return true, client.IgnoreNotFound(err)
}

// teardown deletes all components of a Mesh once no sidecar needs them, which the removal phase Deleting indicates. Their objects are
// removed from the inventory when they no longer exist, and the Mesh keeps its finalizer until the inventory is empty.
func (r *Reconciler) teardown(ctx context.Context, mesh *v1alpha1.Mesh) (reconcile.Result, error) {
	if mesh.Status.Removal == nil || mesh.Status.Removal.Phase != v1alpha1.RemovalDeleting {
		return reconcile.Result{}, nil
	}
	var statuses []v1alpha1.ComponentStatus
	var failed []error
	for _, c := range mesh.Status.Components {
		remaining, err := r.prune(ctx, mesh, c.Objects, nil)
		failed = append(failed, err)
		if len(remaining) > 0 {
			c.Objects, c.Ready, c.Reason, c.Message = remaining, false, v1alpha1.ReasonDeleting, r.describeRemoval(ctx, remaining, err)
			statuses = append(statuses, c)
		}
	}
	failed = append(failed, r.writeStatus(ctx, nil, mesh, statuses))
	if err := errors.Join(failed...); err != nil || len(statuses) == 0 {
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: teardownPollInterval}, nil
}
