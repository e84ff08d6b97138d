package lab

import (
	"context"
	"io"
	"time"

	"github.com/openservicemesh/osm-operator/internal/names"
)

// Prepare brings up what users begin with: a cluster, the project's images, the operator, and the sample mesh, ready. Each step
// can be done again without harm; programs that were built anew take the place of those that run. The cluster is returned with
// an error too, once there is one, so that it can be described.
func Prepare(ctx context.Context, out io.Writer, limit time.Duration) (*Cluster, error) {
	cluster, err := Start(ctx, out)
	if err != nil {
		return nil, err
	}
	if err := cluster.BuildImages(ctx, out); err != nil {
		return cluster, err
	}
	if err := cluster.InstallOperator(ctx, limit); err != nil {
		return cluster, err
	}
	if err := cluster.ApplyFile(ctx, "config", "samples", "operator_v1alpha1_mesh.yaml"); err != nil {
		return cluster, err
	}
	if err := cluster.RenewPods(ctx, names.OperatorNamespace, names.DefaultNamespace); err != nil {
		return cluster, err
	}
	return cluster, cluster.MeshReady(ctx, names.DefaultMesh, limit)
}
