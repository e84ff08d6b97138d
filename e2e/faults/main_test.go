package faults

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
	// installLimit is the time limit for installing the operator and a mesh.
	installLimit = 4 * time.Minute
	// podLimit is the time limit for pods to become ready.
	podLimit = 3 * time.Minute
	// wellLimit is the time limit for the mesh to be well after a fault.
	wellLimit = 3 * time.Minute
)

func TestMain(m *testing.M) {
	os.Exit(lab.Suite{SetUp: setUp, FailureMessage: "cannot set up the tests of faults", Out: os.Stderr}.Run(m))
}

// setUp installs the operator and the sample mesh, unless no test runs. Faults are caused from this machine, so the cluster must be local.
func setUp(ctx context.Context) (*lab.Cluster, error) {
	if !lab.IsFull() || lab.IsCurrent() {
		return nil, nil
	}
	var err error
	cluster, err = lab.Prepare(ctx, os.Stderr, installLimit)
	return cluster, err
}
