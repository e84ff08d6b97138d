package removal

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
	// installLimit is for installing the operator and a mesh.
	installLimit = 4 * time.Minute
	// podLimit is for pods to become ready.
	podLimit = 3 * time.Minute
	// removalLimit is for a step of a removal.
	removalLimit = 3 * time.Minute
)

func TestMain(m *testing.M) {
	os.Exit(lab.Suite{SetUp: setUp, Impossible: "removals cannot be tried out", Out: os.Stderr}.Run(m))
}

// setUp brings up the operator and the sample mesh.
func setUp(ctx context.Context) (*lab.Cluster, error) {
	var err error
	cluster, err = lab.Prepare(ctx, os.Stderr, installLimit)
	return cluster, err
}

// full says whether the longest scenarios run as well.
func full() bool { return os.Getenv("OSM_TEST_FULL") == "true" }
