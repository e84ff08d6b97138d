package upgrade

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/e2e/lab"
)

// cluster is what all tests work in.
var cluster *lab.Cluster

const (
	// before is the recorded version that upgrades begin with.
	before = "v0.1.0"

	// installLimit is for installing the operator and a mesh.
	installLimit = 4 * time.Minute
	// podLimit is for pods with their sidecars to become ready.
	podLimit = 3 * time.Minute
	// upgradeLimit is for an upgrade, or the return from one.
	upgradeLimit = 6 * time.Minute
)

func TestMain(m *testing.M) {
	os.Exit(lab.Suite{SetUp: setUp, Impossible: "upgrades cannot be tried out", Out: os.Stderr}.Run(m))
}

// setUp brings up the operator, and puts the images of the version before beside those of this one.
func setUp(ctx context.Context) (*lab.Cluster, error) {
	var err error
	if cluster, err = lab.Prepare(ctx, os.Stderr, installLimit); err != nil {
		return cluster, err
	}
	return cluster, cluster.LoadVersion(ctx, os.Stderr, before)
}

// full says whether the longest scenarios run as well.
func full() bool { return os.Getenv("OSM_TEST_FULL") == "true" }
