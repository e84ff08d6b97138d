package nodes

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/e2e/lab"
)

var (
	// cluster is the cluster of all tests.
	cluster *lab.Cluster
	// second is its second node.
	second *lab.Node
)

const (
	// installLimit is the time limit for installing the operator and a mesh.
	installLimit = 4 * time.Minute
	// podLimit is the time limit for pods to become ready, and callLimit for requests to succeed.
	podLimit, callLimit = 2 * time.Minute, 30 * time.Second
	// machine is the name of the second node's machine.
	machine = "second"
)

func TestMain(m *testing.M) {
	os.Exit(lab.Suite{SetUp: setUp, FailureMessage: "cannot set up two nodes", TearDown: tearDown, Out: os.Stderr}.Run(m))
}

// setUp installs the operator and the sample mesh, and adds a node. The machine of the node is simulated, so the cluster must be local.
func setUp(ctx context.Context) (*lab.Cluster, error) {
	if lab.IsCurrent() {
		return nil, nil
	}
	var err error
	if cluster, err = lab.Prepare(ctx, os.Stderr, installLimit); err != nil {
		return cluster, err
	}
	if lab.IsFull() {
		if err := cluster.Repository.BuildOSM(ctx, os.Stderr); err != nil {
			return cluster, err
		}
	}
	second, err = cluster.JoinNode(ctx, os.Stderr, machine)
	return cluster, err
}

func tearDown(ctx context.Context) error {
	if second == nil {
		return nil
	}
	// Pods on a node that has left end minutes later, and their namespaces with them.
	return errors.Join(cluster.DeletedNamespacesAreGone(ctx), second.Leave(ctx))
}
