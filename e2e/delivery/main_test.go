package delivery

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/e2e/lab"
)

// cluster is the cluster of all tests.
var cluster *lab.Cluster

const (
	// installLimit is the time limit for installing an operator and a mesh.
	installLimit = 4 * time.Minute
	// podLimit is the time limit for pods to become ready.
	podLimit = 3 * time.Minute
)

func TestMain(m *testing.M) {
	os.Exit(lab.Suite{SetUp: setUp, FailureMessage: "cannot set up the tests of the delivery", Out: os.Stderr}.Run(m))
}

// setUp installs the operator and the sample mesh, unless no test runs.
func setUp(ctx context.Context) (*lab.Cluster, error) {
	if !lab.IsFull() {
		return nil, nil
	}
	var err error
	cluster, err = lab.Prepare(ctx, os.Stderr, installLimit)
	return cluster, err
}
