package peers

import (
	"context"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/gatewayapi"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// releaseConsent removes what the mesh has written into the status of a ServiceExport or ServiceImport that names no peer any more. Other controllers of the
// Multi-Cluster Services API write conditions of the same types, so it removes only those whose last writer was a control plane of a mesh.
func (w Writers) releaseConsent(ctx context.Context, object *unstructured.Unstructured) error {
	written := writtenByMesh(object)
	if written.Empty() {
		return nil
	}
	before, err := gatewayapi.ReadStatus[consent](object)
	if err != nil {
		return err
	}
	// Who replaces a condition changes its message. A status that it does not change would still be that of the mesh.
	isOwnCondition := func(c metav1.Condition) bool {
		return written.Has(fieldpath.MakePathOrDie("status", "conditions", fieldpath.KeyByFields("type", c.Type), "message"))
	}
	isOwnCluster := func(c importedCluster) bool {
		return written.Has(fieldpath.MakePathOrDie("status", "clusters", fieldpath.KeyByFields("cluster", c.Cluster), "cluster"))
	}
	after := consentStatus{
		Conditions: slices.DeleteFunc(slices.Clone(before.Status.Conditions), isOwnCondition),
		Clusters:   slices.DeleteFunc(slices.Clone(before.Status.Clusters), isOwnCluster),
	}
	return gatewayapi.Patch(ctx, w.Client, object.DeepCopy(), before.Status, after, client.FieldOwner(names.Controller))
}

// writtenByMesh returns the fields of the status whose last writer was a control plane of a mesh.
func writtenByMesh(object *unstructured.Unstructured) *fieldpath.Set {
	written := fieldpath.NewSet()
	for _, entry := range object.GetManagedFields() {
		if entry.Manager != names.Controller || entry.Subresource != "status" || entry.FieldsV1 == nil {
			continue
		}
		fields := fieldpath.NewSet()
		if err := fields.FromJSON(entry.FieldsV1.GetRawReader()); err == nil { // the API server writes them
			written = written.Union(fields)
		}
	}
	return written
}
