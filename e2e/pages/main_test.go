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
	// cluster is where the pages are tried.
	cluster *lab.Cluster
	// tools is the folder of the program osm.
	tools string
	// borrowed are the demo's namespaces that were not there before.
	borrowed []string
)

const (
	installLimit = 4 * time.Minute
	demoLimit    = 3 * time.Minute
)

// demoNamespaces are those of the bookstore.
var demoNamespaces = []string{"bookbuyer", "bookthief", "bookstore", "bookwarehouse"}

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(lab.Suite{SetUp: setUp, Impossible: "the demo cannot be set up", TearDown: tearDown, Out: os.Stderr}.Run(m))
}

// tearDown deletes the demo, unless somebody ran it before the tests.
func tearDown(ctx context.Context) error {
	failed := []error{os.RemoveAll(tools)}
	for _, name := range borrowed {
		failed = append(failed, cluster.DeleteNamespace(ctx, name))
	}
	return errors.Join(failed...)
}

// setUp brings up the demo as `make demo` does, with the pods that the pages send requests from.
func setUp(ctx context.Context) (*lab.Cluster, error) {
	var err error
	if cluster, err = lab.Prepare(ctx, os.Stderr, installLimit); err != nil {
		return cluster, err
	}
	for _, name := range demoNamespaces {
		there, err := cluster.HasNamespace(ctx, time.Minute, name)
		if err != nil {
			return cluster, err
		}
		if !there {
			borrowed = append(borrowed, name)
		}
	}
	if err := cluster.ApplyFolder(ctx, "config", "samples", "bookstore"); err != nil {
		return cluster, err
	}
	if err := cluster.ApplyFile(ctx, "config", "samples", "bookstore", "curl"); err != nil {
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
