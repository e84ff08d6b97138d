package observability

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/e2e/lab"
)

// cluster runs the bookstore in the sample mesh.
var cluster *lab.Cluster

const (
	installLimit = 4 * time.Minute
	demoLimit    = 3 * time.Minute
)

var bookNamespaces = []string{"bookbuyer", "bookthief", "bookstore", "bookwarehouse"}

func TestMain(m *testing.M) {
	if !lab.IsFull() { // every test is skipped
		os.Exit(m.Run())
	}
	os.Exit(lab.Suite{SetUp: setUp, FailureMessage: "the bookstore cannot be set up", Out: os.Stderr}.Run(m))
}

func setUp(ctx context.Context) (*lab.Cluster, error) {
	var err error
	if cluster, err = lab.Prepare(ctx, os.Stderr, installLimit); err != nil {
		return cluster, err
	}
	for _, name := range bookNamespaces {
		if _, err := cluster.HasNamespace(ctx, time.Minute, name); err != nil {
			return cluster, err
		}
	}
	if err := cluster.ApplyFolder(ctx, "config", "samples", "bookstore"); err != nil {
		return cluster, err
	}
	if err := cluster.RenewPods(ctx, bookNamespaces...); err != nil {
		return cluster, err
	}
	return cluster, cluster.Available(ctx, demoLimit, bookNamespaces...)
}
