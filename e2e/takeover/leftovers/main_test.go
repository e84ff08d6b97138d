package leftovers

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/e2e/lab"
)

// cluster is the cluster of all tests.
var cluster *lab.Cluster

const (
	// installLimit is the time limit for installing the operator and a mesh.
	installLimit = 4 * time.Minute
	// podLimit is the time limit for pods to become ready.
	podLimit = 3 * time.Minute
	// effectLimit is the time limit for a change to take effect.
	effectLimit = 2 * time.Minute
)

func TestMain(m *testing.M) {
	os.Exit(lab.Suite{SetUp: setUp, FailureMessage: "cannot set up the tests of leftovers", Out: os.Stderr}.Run(m))
}

// setUp installs the operator and the sample mesh.
func setUp(ctx context.Context) (*lab.Cluster, error) {
	var err error
	cluster, err = lab.Prepare(ctx, os.Stderr, installLimit)
	return cluster, err
}

// eventually waits until check returns done.
func eventually(t *testing.T, what string, check func(context.Context) (bool, string, error)) {
	t.Helper()
	lab.Eventually(t, effectLimit, what, check)
}

// deleteMesh deletes a Mesh and waits until it is gone.
func deleteMesh(ctx context.Context, name string) error {
	if err := cluster.Remove(ctx, fmt.Sprintf("{apiVersion: operator.openservicemesh.io/v1alpha1, kind: Mesh, metadata: {name: %s}}", name)); err != nil {
		return err
	}
	return lab.Until(ctx, 90*time.Second, "Mesh "+name+" is gone", func(ctx context.Context) (bool, string, error) {
		live, err := readMesh(ctx, name)
		if err != nil {
			return false, "", err
		}
		return live == nil, "it still exists", nil
	})
}
