package upgrade

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/names"
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

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := prepare(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "upgrades cannot be tried out:", err)
		if cluster != nil {
			fmt.Fprintln(os.Stderr, cluster.ControlPlaneLogs(ctx, names.DefaultNamespace))
		}
		return 1
	}
	return m.Run()
}

// prepare brings up the operator, and puts the images of the version before beside those of this one.
func prepare(ctx context.Context) error {
	var err error
	if cluster, err = lab.Prepare(ctx, os.Stderr, installLimit); err != nil {
		return err
	}
	return cluster.LoadVersion(ctx, os.Stderr, before)
}

// full says whether the longest scenarios run as well.
func full() bool { return os.Getenv("OSM_TEST_FULL") == "true" }
