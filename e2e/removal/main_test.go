package removal

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
	// installLimit is for installing the operator and a mesh.
	installLimit = 4 * time.Minute
	// podLimit is for pods to become ready.
	podLimit = 3 * time.Minute
	// removalLimit is for a step of a removal.
	removalLimit = 3 * time.Minute
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if cluster, err = lab.Prepare(ctx, os.Stderr, installLimit); err != nil {
		fmt.Fprintln(os.Stderr, "removals cannot be tried out:", err)
		if cluster != nil {
			fmt.Fprintln(os.Stderr, cluster.ControlPlaneLogs(ctx, names.DefaultNamespace))
		}
		return 1
	}
	return m.Run()
}

// full says whether the longest scenarios run as well.
func full() bool { return os.Getenv("OSM_TEST_FULL") == "true" }
