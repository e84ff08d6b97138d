package clusterload

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/mesh/load"
)

// Load reads the mesh whose control plane runs in namespace. Kinds that the cluster does not define are empty.
func Load(ctx context.Context, c client.Client, mesh, namespace string) (*load.Loaded, error) {
	objects, err := Objects(ctx, c, mesh, namespace)
	if err != nil {
		return nil, err
	}
	return load.FromObjects(mesh, c.Scheme(), objects)
}

// Objects reads the objects that define the mesh whose control plane runs in namespace. Its result is the input of
// load.FromObjects, and of callers that need the complete objects.
func Objects(ctx context.Context, c client.Client, mesh, namespace string) ([]*unstructured.Unstructured, error) {
	all := load.Sources(mesh)
	lists := make([][]unstructured.Unstructured, len(all))
	group, ctx := errgroup.WithContext(ctx)
	for i, source := range all {
		group.Go(func() error {
			items, err := list(ctx, c, source, namespace)
			lists[i] = items
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	for _, items := range lists {
		for i := range items {
			objects = append(objects, &items[i])
		}
	}
	return objects, nil
}

// isOptional reports whether a mesh can be read without a kind. The roles of Kubernetes for users do not grant access to these.
func isOptional(kind entity.Kind) bool {
	return slices.Contains([]entity.Kind{entity.KindServiceCIDR, entity.KindMeshPeer, entity.KindServiceExport, entity.KindServiceImport}, kind)
}

// list reads all objects of a kind, but MeshConfigs from the mesh's own namespace only.
func list(ctx context.Context, c client.Client, source kinds.Source, namespace string) ([]unstructured.Unstructured, error) {
	kind, err := c.GroupVersionKindFor(source.Object)
	if err != nil {
		return nil, err
	}
	var options []client.ListOption
	if source.Kind == entity.KindSettings {
		options = append(options, client.InNamespace(namespace))
	}
	all := &unstructured.UnstructuredList{}
	all.SetGroupVersionKind(kind)
	err = c.List(ctx, all, options...)
	if meta.IsNoMatchError(err) || isOptional(source.Kind) && apierrors.IsForbidden(err) {
		return nil, nil
	}
	for i := range all.Items {
		all.Items[i].SetGroupVersionKind(kind)
	}
	return all.Items, err
}
