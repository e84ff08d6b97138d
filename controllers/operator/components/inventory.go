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
	"github.com/openservicemesh/osm-operator/internal/operator/component"
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

// referencesOf returns references to rendered objects, in their order. Objects of one name in the namespaces of the mesh have one reference, so the
// status does not grow with the mesh.
func referencesOf(mesh *v1alpha1.Mesh, objects []*unstructured.Unstructured) []v1alpha1.ObjectReference {
	var references []v1alpha1.ObjectReference
	for _, object := range objects {
		reference := referenceOf(object)
		if reference.Namespace != "" && reference.Namespace != component.Namespace(mesh) {
			reference.Namespace = v1alpha1.EveryNamespace
		}
		references = union(references, []v1alpha1.ObjectReference{reference})
	}
	return references
}

// union returns the elements of both lists, each once, in their order.
func union(first, second []v1alpha1.ObjectReference) []v1alpha1.ObjectReference {
	all := slices.Clone(first)
	for _, reference := range second {
		if !slices.Contains(all, reference) {
			all = append(all, reference)
		}
	}
	return all
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
		known := len(statuses[i].Objects)
		statuses[i].Objects = union(statuses[i].Objects, referencesOf(mesh, c.all()))
		changed = changed || len(statuses[i].Objects) > known
	}
	if !changed {
		return nil
	}
	return r.writeStatus(ctx, nil, mesh, statuses)
}

// describeRemoval describes what the objects of a component wait for while they are deleted.
func (r *Reconciler) describeRemoval(ctx context.Context, mesh *v1alpha1.Mesh, remaining []v1alpha1.ObjectReference, failed error) string {
	var held []string
	for _, recorded := range remaining {
		references, _ := r.expand(ctx, mesh, recorded)
		for _, reference := range references {
			live, err := r.get(ctx, reference)
			if text := apply.Held(reference.Kind, live); err == nil && text != "" {
				held = append(held, text)
			}
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

// prune deletes the recorded objects that are not among the kept ones, and returns the references to those that still exist.
func (r *Reconciler) prune(
	ctx context.Context, mesh *v1alpha1.Mesh, recorded []v1alpha1.ObjectReference, kept []*unstructured.Unstructured,
) ([]v1alpha1.ObjectReference, error) {
	keep := map[v1alpha1.ObjectReference]bool{}
	for _, object := range kept {
		keep[referenceOf(object)] = true
	}
	var remaining []v1alpha1.ObjectReference
	var failed []error
	for _, one := range recorded {
		references, err := r.expand(ctx, mesh, one)
		exists := err != nil
		failed = append(failed, err)
		for _, reference := range references {
			if keep[reference] {
				continue
			}
			existed, err := r.deleteObject(ctx, mesh, reference)
			if err != nil {
				failed = append(failed, fmt.Errorf("%s %s cannot be deleted: %w", reference.Kind,
					strings.TrimPrefix(reference.Namespace+"/"+reference.Name, "/"), err))
			}
			exists = exists || existed || err != nil
		}
		if exists {
			remaining = append(remaining, one)
		}
	}
	return remaining, errors.Join(failed...)
}

// expand returns the references to single objects that a recorded one stands for: itself, or those of its name outside the mesh's own namespace.
func (r *Reconciler) expand(ctx context.Context, mesh *v1alpha1.Mesh, recorded v1alpha1.ObjectReference) ([]v1alpha1.ObjectReference, error) {
	if recorded.Namespace != v1alpha1.EveryNamespace {
		return []v1alpha1.ObjectReference{recorded}, nil
	}
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(schema.FromAPIVersionAndKind(recorded.APIVersion, recorded.Kind+"List"))
	err := r.Objects.List(ctx, list, client.MatchingLabels{names.MeshLabel: mesh.Name})
	if meta.IsNoMatchError(err) || err != nil && client.IgnoreNotFound(err) == nil {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the objects %s %s cannot be listed: %w", recorded.Kind, recorded.Name, err)
	}
	var references []v1alpha1.ObjectReference
	for i := range list.Items {
		reference := v1alpha1.ObjectReference{
			APIVersion: recorded.APIVersion, Kind: recorded.Kind, Namespace: list.Items[i].GetNamespace(), Name: list.Items[i].GetName(),
		}
		if reference.Name == recorded.Name && reference.Namespace != component.Namespace(mesh) {
			references = append(references, reference)
		}
	}
	slices.SortFunc(references, func(a, b v1alpha1.ObjectReference) int { return strings.Compare(a.Namespace, b.Namespace) })
	return references, nil
}

// get reads the object of a reference.
func (r *Reconciler) get(ctx context.Context, reference v1alpha1.ObjectReference) (*unstructured.Unstructured, error) {
	object := objectOf(schema.FromAPIVersionAndKind(reference.APIVersion, reference.Kind))
	return object, r.Objects.Get(ctx, client.ObjectKey{Namespace: reference.Namespace, Name: reference.Name}, object)
}

// deleteObject deletes an object that was made for the mesh, and reports whether it existed. Objects of users and of other meshes are not deleted.
func (r *Reconciler) deleteObject(ctx context.Context, mesh *v1alpha1.Mesh, reference v1alpha1.ObjectReference) (exists bool, err error) {
	live, err := r.get(ctx, reference)
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
			c.Objects, c.Ready, c.Reason, c.Message = remaining, false, v1alpha1.ReasonDeleting, r.describeRemoval(ctx, mesh, remaining, err)
			statuses = append(statuses, c)
		}
	}
	failed = append(failed, r.writeStatus(ctx, nil, mesh, statuses))
	if err := errors.Join(failed...); err != nil || len(statuses) == 0 {
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: teardownPollInterval}, nil
}
