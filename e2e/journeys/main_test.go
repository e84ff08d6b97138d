package journeys

import (
	"context"
	"errors"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/e2e/lab"
)

// cluster is the cluster of all tests.
var cluster *lab.Cluster

const (
	// parallelTests is the number of parallel tests. It exceeds the number of processors because tests mostly wait.
	parallelTests = "6"

	// installLimit is the time limit for installing the operator and a mesh.
	installLimit = 4 * time.Minute
	// podLimit is the time limit for a pod with a sidecar to become ready.
	podLimit = 2 * time.Minute
	// policyLimit is the time limit for a policy change to reach the sidecars: milliseconds on an idle machine, more on
	// a busy one.
	policyLimit = 10 * time.Second
)

func TestMain(m *testing.M) {
	parallelSet := false
	flag.Parse()
	flag.Visit(func(f *flag.Flag) { parallelSet = parallelSet || f.Name == "test.parallel" })
	if !parallelSet {
		if err := flag.Set("test.parallel", parallelTests); err != nil {
			panic(err)
		}
	}
	os.Exit(lab.Suite{SetUp: setUp, FailureMessage: "cannot set up the mesh", TearDown: tearDown, Out: os.Stderr}.Run(m))
}

// setUp installs the operator and the sample mesh.
func setUp(ctx context.Context) (*lab.Cluster, error) {
	var err error
	cluster, err = lab.Prepare(ctx, os.Stderr, installLimit)
	return cluster, err
}

// tearDown removes what several tests share.
func tearDown(ctx context.Context) error {
	return errors.Join(tearDownFixture(ctx), cluster.RemoveTenantPolicies(ctx))
}
