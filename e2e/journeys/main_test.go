package journeys

import (
	"context"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/e2e/lab"
)

// cluster is what all tests work in.
var cluster *lab.Cluster

const (
	// beside is how many tests run beside each other: they mostly wait.
	beside = "6"

	// installLimit is for installing the operator and a mesh.
	installLimit = 4 * time.Minute
	// podLimit is for a pod with its sidecar to become ready.
	podLimit = 2 * time.Minute
	// policyLimit is for a change of policy to reach the sidecars: milliseconds on an idle machine, which this is not.
	policyLimit = 10 * time.Second
)

func TestMain(m *testing.M) {
	chosen := false
	flag.Parse()
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen {
		if err := flag.Set("test.parallel", beside); err != nil {
			panic(err)
		}
	}
	os.Exit(lab.Suite{SetUp: setUp, Impossible: "the mesh cannot be set up", TearDown: tearDownStage, Out: os.Stderr}.Run(m))
}

// setUp brings up the operator and the sample mesh.
func setUp(ctx context.Context) (*lab.Cluster, error) {
	var err error
	cluster, err = lab.Prepare(ctx, os.Stderr, installLimit)
	return cluster, err
}
