package current

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// MarkLabel is the label of the namespaces and the Mesh that the demo has created.
	MarkLabel = "demo.openservicemesh.io/created-by"
	markValue = "make-demo"

	meshName = names.DefaultMesh
)

// Namespaces returns the namespaces of the bookstore.
func Namespaces() []string { return []string{"bookwarehouse", "bookstore", "bookbuyer", "bookthief"} }

func allNamespaces() []string {
	return slices.Concat([]string{names.OperatorNamespace, names.DefaultNamespace}, Namespaces())
}

// MarkNamespaces creates the namespaces of the operator, of the mesh and of the bookstore with the mark. It runs before anything else is created, so
// that an interrupted demo can be removed. The operator uses a namespace that exists, and keeps it when the Mesh is deleted.
func MarkNamespaces(ctx context.Context, c client.Client) error {
	for _, name := range allNamespaces() {
		namespace := &corev1.Namespace{}
		namespace.Name, namespace.Labels = name, map[string]string{MarkLabel: markValue}
		if err := c.Create(ctx, namespace); err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("create namespace %s: %w", name, err)
		}
	}
	return nil
}

// MarkMesh creates the Mesh with the mark, unless it exists.
func MarkMesh(ctx context.Context, c client.Client) error {
	mesh := &v1alpha1.Mesh{}
	mesh.Name, mesh.Labels = meshName, map[string]string{MarkLabel: markValue}
	if err := c.Create(ctx, mesh); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create Mesh %s: %w", meshName, err)
	}
	return nil
}
