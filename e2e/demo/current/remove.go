package current

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Removal is what the demo has created in a cluster, and a reason for each part that stays.
type Removal struct {
	// Namespaces are those of the bookstore.
	Namespaces []string
	Mesh       bool
	// MeshNamespace is that of the control plane.
	MeshNamespace bool
	// Operator includes the CustomResourceDefinitions.
	Operator bool
	Kept     []string
}

// FindRemoval returns what can be removed. The operator stays if another Mesh needs it.
func FindRemoval(ctx context.Context, c client.Reader) (Removal, error) {
	var r Removal
	for _, name := range Namespaces() {
		own, err := isOwn(ctx, c, name)
		if err != nil {
			return r, err
		}
		if own {
			r.Namespaces = append(r.Namespaces, name)
		} else if err := r.keepNamespace(ctx, c, name); err != nil {
			return r, err
		}
	}
	var err error
	if r.MeshNamespace, err = isOwn(ctx, c, names.DefaultNamespace); err != nil {
		return r, err
	}
	others, err := r.findMesh(ctx, c)
	if err != nil {
		return r, err
	}
	if r.Operator, err = isOwn(ctx, c, names.OperatorNamespace); err != nil {
		return r, err
	}
	if !r.Operator {
		return r, r.keepNamespace(ctx, c, names.OperatorNamespace)
	}
	r.Kept = append(r.Kept, "the CustomResourceDefinitions of SMI, because policies of others may use them")
	if others > 0 {
		r.Operator = false
		r.Kept = append(r.Kept, "the operator, because there are other meshes")
	}
	return r, nil
}

// keepNamespace records a namespace that exists and stays.
func (r *Removal) keepNamespace(ctx context.Context, c client.Reader, name string) error {
	foreign, err := isForeign(ctx, c, name)
	if foreign {
		r.Kept = append(r.Kept, fmt.Sprintf("namespace %s, because the demo did not create it", name))
	}
	return err
}

// findMesh looks for the Mesh of the demo, and counts the others. Without the definition of the kind there are none.
func (r *Removal) findMesh(ctx context.Context, c client.Reader) (others int, err error) {
	list := &v1alpha1.MeshList{}
	err = c.List(ctx, list)
	if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("list Meshes: %w", err)
	}
	for i := range list.Items {
		if mesh := &list.Items[i]; mesh.Name == meshName && mesh.Labels[MarkLabel] == markValue {
			r.Mesh = true
			continue
		}
		others++
		r.Kept = append(r.Kept, fmt.Sprintf("Mesh %s, because the demo did not create it", list.Items[i].Name))
	}
	return others, nil
}
