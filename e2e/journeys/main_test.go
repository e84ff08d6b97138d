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
	if err := setUp(ctx); err != nil {
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

// setUp brings up what the tests need; each step can be done again without harm.
func setUp(ctx context.Context) error {
	var err error
	if cluster, err = lab.Start(ctx, os.Stderr); err != nil {
		return err
	}
	if err := cluster.BuildImages(ctx, os.Stderr); err != nil {
		return err
	}
	if err := cluster.InstallOperator(ctx, installLimit); err != nil {
		return err
	}
	if err := cluster.ApplyFile(ctx, "config", "samples", "operator_v1alpha1_mesh.yaml"); err != nil {
		return err
	}
	if err := cluster.RenewPods(ctx, names.OperatorNamespace, names.DefaultNamespace); err != nil {
		return err
	}
	return cluster.MeshReady(ctx, names.DefaultMesh, installLimit)
}
