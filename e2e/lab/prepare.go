package lab

import (
	"context"
	"io"
	"time"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Prepare sets up a cluster with the project's images, the operator and the ready sample mesh. It is idempotent:
// rebuilt programs replace the running ones. It returns the cluster together with an error, so that callers can
// describe it.
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
