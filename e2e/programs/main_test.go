package programs

import (
	"context"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// cluster is the cluster of all tests.
var cluster *lab.Cluster

const (
	installLimit = 4 * time.Minute
	// parallelTests is the number of programs that run at a time: they mostly wait.
	parallelTests = "3"
)

func TestMain(m *testing.M) {
	if !lab.IsFull() { // every test with a cluster is skipped
		os.Exit(m.Run())
	}
	parallelSet := false
	flag.Parse()
	flag.Visit(func(f *flag.Flag) { parallelSet = parallelSet || f.Name == "test.parallel" })
	if !parallelSet {
		if err := flag.Set("test.parallel", parallelTests); err != nil {
			panic(err)
		}
	}
	suite := lab.Suite{SetUp: setUp, FailureMessage: "cannot set up the mesh", TearDown: tearDown, Out: os.Stderr}
	os.Exit(suite.Run(m))
}

// setUp installs the operator and the sample mesh, and loads the images of all programs.
func setUp(ctx context.Context) (*lab.Cluster, error) {
	var err error
	if cluster, err = lab.Prepare(ctx, os.Stderr, installLimit); err != nil {
		return cluster, err
	}
	return cluster, cluster.BuildImages(ctx, os.Stderr, images()...)
}

// tearDown returns the mesh to the settings of the sample.
func tearDown(ctx context.Context) error {
	if err := cluster.Patch(ctx, sampleMesh(), `{"spec":{"traffic":null}}`); err != nil {
		return err
	}
	return cluster.MeshReady(ctx, names.DefaultMesh, installLimit)
}
