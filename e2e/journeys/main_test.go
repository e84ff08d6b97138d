package journeys

import (
	"context"
	"flag"
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
	os.Exit(run(m))
}

func run(m *testing.M) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if cluster, err = lab.Prepare(ctx, os.Stderr, installLimit); err != nil {
		fmt.Fprintln(os.Stderr, "the mesh cannot be set up:", err)
		if cluster != nil {
			fmt.Fprintln(os.Stderr, cluster.ControlPlaneLogs(ctx, names.DefaultNamespace))
		}
		return 1
	}
	code := m.Run()
	if err := tearDownStage(context.WithoutCancel(ctx)); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return code
}
