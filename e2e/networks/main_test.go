package networks

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/e2e/lab"
)

// cluster is the cluster of all tests.
var cluster *lab.Cluster

// installLimit is the time limit for installing the operator and a mesh, and podLimit for pods to become ready.
const installLimit, podLimit = 4 * time.Minute, 2 * time.Minute

func TestMain(m *testing.M) {
	os.Exit(lab.Suite{SetUp: setUp, FailureMessage: "cannot set up the mesh", Out: os.Stderr}.Run(m))
}

// setUp installs the operator and the sample mesh. Tests change the network of the node, so the cluster must be local.
func setUp(ctx context.Context) (*lab.Cluster, error) {
	if lab.IsCurrent() {
		return nil, nil
	}
	var err error
	cluster, err = lab.Prepare(ctx, os.Stderr, installLimit)
	return cluster, err
}

// requireLocal skips a test on a cluster whose network cannot be changed.
func requireLocal(t *testing.T) {
	t.Helper()
	if cluster == nil {
		t.Skip("the network of the local cluster only can be changed")
	}
}
