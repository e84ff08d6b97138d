package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// ReleaseOwners removes the owner references to Meshes and MeshRevisions from an object. Earlier versions of the operator wrote them. With such a
// reference, foreground deletion of the owner deletes the object at once, before the finalizer of the owner can remove the mesh in order.
//
// It removes the label of the application instance too: Argo CD counts an object with this label and without owner as part of an Application.
func ReleaseOwners(ctx context.Context, c client.Client, object client.Object) error {
	kept := slices.DeleteFunc(slices.Clone(object.GetOwnerReferences()), isReleased)
	if len(kept) == len(object.GetOwnerReferences()) {
		return nil
	}
	before := object.DeepCopyObject().(client.Object)
	object.SetOwnerReferences(kept)
	labels := object.GetLabels()
	if mesh := labels[names.MeshLabel]; mesh != "" && labels[names.InstanceLabel] == mesh {
		delete(labels, names.InstanceLabel)
		object.SetLabels(labels)
	}
	err := c.Patch(ctx, object, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}), client.FieldOwner(FieldManager))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("the owner of %T %s cannot be removed: %w", object, client.ObjectKeyFromObject(object), err)
	}
	return nil
}

// isReleased reports whether an owner is a Mesh or a MeshRevision.
func isReleased(owner metav1.OwnerReference) bool {
	return strings.HasPrefix(owner.APIVersion, v1alpha1.GroupVersion.Group+"/")
}

// ReleaseLabelled removes the owner references to Meshes and MeshRevisions from the objects of some kinds that were made for a mesh. An object that
// cannot be patched does not keep others from it.
func ReleaseLabelled(ctx context.Context, c client.Client, mesh string, lists ...client.ObjectList) error {
	var failed []error
	for _, list := range lists {
		if err := c.List(ctx, list, client.MatchingLabels{names.MeshLabel: mesh}); err != nil {
			failed = append(failed, fmt.Errorf("the objects of the mesh %s cannot be listed: %w", mesh, err))
			continue
		}
		err := meta.EachListItem(list, func(item runtime.Object) error {
			failed = append(failed, ReleaseOwners(ctx, c, item.(client.Object)))
			return nil
		})
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// claim removes the owner references to Meshes and MeshRevisions from the live object, and returns its content afterwards; nil when it does not
// exist. It fails if the object was made for another mesh, from which the apply would take it away.
func (a *Applier) claim(ctx context.Context, desired *unstructured.Unstructured) (map[string]any, error) {
	live, err := a.live(ctx, desired)
	if err != nil || live == nil {
		return nil, err
	}
	object := &unstructured.Unstructured{Object: live}
	if err := a.checkMesh(ctx, desired.GetLabels()[names.MeshLabel], object.GetLabels()[names.MeshLabel]); err != nil {
		return nil, objectError(desired, "applied", err)
	}
	if err := ReleaseOwners(ctx, a.client, object); err != nil {
		return nil, err
	}
	return object.Object, nil
}

// checkMesh returns an error if an object has the label of another mesh that exists. Somebody may have changed the label to any other value.
func (a *Applier) checkMesh(ctx context.Context, mesh, other string) error {
	if a.Meshes == nil || mesh == "" || other == "" || other == mesh {
		return nil
	}
	err := a.Meshes.Get(ctx, client.ObjectKey{Name: other}, &v1alpha1.Mesh{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the Mesh %s cannot be read: %w", other, err)
	}
	return fmt.Errorf("it belongs to the mesh %s", other)
}

// Delete deletes an object once, and only the object that was read: another one of that name stays.
func Delete(ctx context.Context, c client.Client, object client.Object) error {
	if object.GetDeletionTimestamp() != nil {
		return nil
	}
	uid := object.GetUID()
	err := c.Delete(ctx, object, client.PropagationPolicy(metav1.DeletePropagationBackground), client.Preconditions{UID: &uid})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("%s cannot be deleted: %w", describeKey(kindOf(c, object), client.ObjectKeyFromObject(object)), err)
	}
	return nil
}

// Held describes an object that is being deleted and that finalizers keep; it is empty for any other object.
func Held(kind string, object client.Object) string {
	if object.GetDeletionTimestamp() == nil || len(object.GetFinalizers()) == 0 {
		return ""
	}
	return fmt.Sprintf("%s (finalizer %s)", describeKey(kind, client.ObjectKeyFromObject(object)), strings.Join(object.GetFinalizers(), ", "))
}

// Remains are objects that a deletion found.
type Remains struct {
	// Count is how many there were.
	Count int
	// Held describes those that finalizers keep.
	Held []string
}

// DeleteLabelled deletes the objects of some kinds that were made for a mesh, and returns those that existed. Objects without the label of
// the mesh belong to users. An object that cannot be deleted does not keep the others.
func DeleteLabelled(ctx context.Context, c client.Client, mesh string, lists ...client.ObjectList) (Remains, error) {
	var left Remains
	var failed []error
	for _, list := range lists {
		if err := c.List(ctx, list, client.MatchingLabels{names.MeshLabel: mesh}); err != nil {
			return left, fmt.Errorf("what was made for the mesh cannot be listed: %w", err)
		}
		items, err := meta.ExtractList(list)
		if err != nil {
			return left, err
		}
		for _, item := range items {
			object := item.(client.Object)
			left.Count++
			if held := Held(kindOf(c, object), object); held != "" {
				left.Held = append(left.Held, held)
			}
			failed = append(failed, Delete(ctx, c, object))
		}
	}
	return left, errors.Join(failed...)
}

// kindOf is the kind of an object. A typed object that was read has none of its own.
func kindOf(c client.Client, object client.Object) string {
	gvk, err := c.GroupVersionKindFor(object)
	if err != nil {
		return "object"
	}
	return gvk.Kind
}
