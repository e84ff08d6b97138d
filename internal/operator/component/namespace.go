package component

import (
	"cmp"

	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Namespace returns the namespace of the control plane of a Mesh.
func Namespace(mesh *v1alpha1.Mesh) string {
	return cmp.Or(ptr.Deref(mesh.Spec.Namespace, ""), names.DefaultNamespace)
}
