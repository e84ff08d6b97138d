package upgrade

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
	// podLimit is the time limit for pods with sidecars to become ready.
	podLimit = 3 * time.Minute
	// upgradeLimit is the time limit for an upgrade or a rollback.
	upgradeLimit = 6 * time.Minute
)

func TestMain(m *testing.M) {
	os.Exit(lab.Suite{SetUp: setUp, FailureMessage: "cannot set up the upgrade tests", Out: os.Stderr}.Run(m))
}

// setUp installs the operator, and loads the images of the earlier version.
func setUp(ctx context.Context) (*lab.Cluster, error) {
	var err error
	if cluster, err = lab.Prepare(ctx, os.Stderr, installLimit); err != nil {
		return cluster, err
	}
	return cluster, cluster.LoadVersion(ctx, os.Stderr, cluster.Earlier)
}
