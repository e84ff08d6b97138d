package revision

import (
	"context"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

// Look is what the status of a revision would say now. It writes nothing: while its Mesh is only planned, nobody else does.
func (r *Reconciler) Look(ctx context.Context, revision *v1alpha1.MeshRevision) (v1alpha1.MeshRevisionStatus, error) {
	return r.observe(ctx, revision, nil)
}
