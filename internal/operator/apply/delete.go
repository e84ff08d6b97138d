package apply

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Delete deletes an object once, and only the object that was read: another one of that name stays.
func Delete(ctx context.Context, c client.Client, object client.Object) error {
	if object.GetDeletionTimestamp() != nil {
		return nil
	}
	uid := object.GetUID()
	err := c.Delete(ctx, object, client.PropagationPolicy(metav1.DeletePropagationBackground), client.Preconditions{UID: &uid})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("%s %s cannot be deleted: %w", object.GetObjectKind().GroupVersionKind().Kind, object.GetName(), err)
	}
	return nil
}

// DeleteLabelled deletes the objects of some kinds that were made for a mesh, and returns how many existed. Objects without the label of
// the mesh belong to users.
func DeleteLabelled(ctx context.Context, c client.Client, mesh string, lists ...client.ObjectList) (int, error) {
	left := 0
	for _, list := range lists {
		if err := c.List(ctx, list, client.MatchingLabels{names.MeshLabel: mesh}); err != nil {
			return left, fmt.Errorf("what was made for the mesh cannot be listed: %w", err)
		}
		items, err := meta.ExtractList(list)
		if err != nil {
			return left, err
		}
		for _, item := range items {
			object, ok := item.(client.Object)
			if !ok {
				continue
			}
			left++
			if err := Delete(ctx, c, object); err != nil {
				return left, err
			}
		}
	}
	return left, nil
}
