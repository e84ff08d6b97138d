package pages

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/e2e/lab"
)

var (
	// cluster runs the demo.
	cluster *lab.Cluster
	// tools is the folder of the osm binary.
	tools string
	// created lists the namespaces of the demo that did not exist before the tests.
	created []string
)

const (
	installLimit = 4 * time.Minute
	demoLimit    = 3 * time.Minute
)

// demoNamespaces are the namespaces of the bookstore.
var demoNamespaces = []string{"bookbuyer", "bookthief", "bookstore", "bookwarehouse"}

// tutorialNamespace is created by the tutorial. It remains only if the tutorial fails.
const tutorialNamespace = "hello"

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(lab.Suite{SetUp: setUp, FailureMessage: "the demo cannot be set up", TearDown: tearDown, Out: os.Stderr}.Run(m))
}

// tearDown deletes the demo unless it ran before the tests.
func tearDown(ctx context.Context) error {
	failed := []error{os.RemoveAll(tools)}
	for _, name := range append([]string{tutorialNamespace}, created...) {
		failed = append(failed, cluster.DeleteNamespace(ctx, name))
	}
	return errors.Join(failed...)
}

// setUp starts the demo as `make demo` does.
func setUp(ctx context.Context) (*lab.Cluster, error) {
	var err error
	if cluster, err = lab.Prepare(ctx, os.Stderr, installLimit); err != nil {
		return cluster, err
	}
	if err := cluster.InstallGatewayAPI(ctx); err != nil {
		return cluster, err
	}
	// Pages print all namespaces of the mesh.
	if err := cluster.DeletedNamespacesAreGone(ctx); err != nil {
		return cluster, err
	}
	for _, name := range demoNamespaces {
		exists, err := cluster.HasNamespace(ctx, time.Minute, name)
		if err != nil {
			return cluster, err
		}
		if !exists {
			created = append(created, name)
		}
	}
	if err := cluster.ApplyFolder(ctx, "config", "samples", "bookstore"); err != nil {
		return cluster, err
	}
	if tools, err = os.MkdirTemp("", "osm-pages-"); err != nil {
		return cluster, err
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(tools, "osm"), "./cmd/osm")
	build.Dir, build.Stdout, build.Stderr = cluster.Repository.Path(), os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		return cluster, fmt.Errorf("build osm: %w", err)
	}
	return cluster, cluster.Available(ctx, demoLimit, demoNamespaces...)
}
