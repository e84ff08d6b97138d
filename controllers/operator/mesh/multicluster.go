package mesh

import (
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/component/peergateway"
)

// isMultiCluster reports whether the definition of a name is one of the Multi-Cluster Services API. Networks and other controllers install these kinds too.
func isMultiCluster(name string) bool { return strings.HasSuffix(name, ".multicluster.x-k8s.io") }

// usesMultiCluster reports whether a mesh reads ServiceExports and ServiceImports. Without a peer gateway it has no way to another mesh.
func usesMultiCluster(mesh *v1alpha1.Mesh) bool { return peergateway.Managed{}.Enabled(mesh) }

// isReplaced reports whether somebody else has written the spec of a definition that the operator created. Two controllers that write one definition would
// overwrite each other without end.
func isReplaced(live *apiextensionsv1.CustomResourceDefinition) bool {
	return slices.ContainsFunc(live.ManagedFields, func(entry metav1.ManagedFieldsEntry) bool {
		return entry.Manager != apply.FieldManager && entry.Subresource == "" && entry.FieldsV1 != nil && strings.Contains(entry.FieldsV1.GetRawString(), `"f:spec":`)
	})
}
