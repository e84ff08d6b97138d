package gatewayapi

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/full"
)

// cluster is the cluster of all tests.
var cluster *lab.Cluster

// installLimit is the time limit for installing the operator and a mesh.
const installLimit = 4 * time.Minute

func TestMain(m *testing.M) {
	if !full.Is() {
		os.Exit(m.Run()) // the only test is skipped
	}
	os.Exit(lab.Suite{SetUp: setUp, FailureMessage: "cannot set up the mesh", TearDown: tearDown, Out: os.Stderr}.Run(m))
}

// setUp installs a permissive mesh, because the pods of the suite have one service account, and what the suite needs.
func setUp(ctx context.Context) (*lab.Cluster, error) {
	var err error
	if cluster, err = lab.Prepare(ctx, os.Stderr, installLimit); err != nil {
		return cluster, err
	}
	images, err := cluster.Repository.ToolOutput(ctx, "./conformance", "images")
	if err != nil {
		return cluster, err
	}
	if err := cluster.Repository.Tool(ctx, os.Stderr, append([]string{"./cluster", "load"}, strings.Fields(images)...)...); err != nil {
		return cluster, err
	}
	definitions, err := cluster.Repository.ToolOutput(ctx, "./conformance", "definitions")
	if err != nil {
		return cluster, err
	}
	if err := cluster.InstallGatewayAPIFrom(ctx, definitions); err != nil {
		return cluster, err
	}
	return cluster, setPermissive(ctx, "true")
}

func tearDown(ctx context.Context) error { return setPermissive(ctx, "null") }

// setPermissive sets permissive mode in the Mesh.
func setPermissive(ctx context.Context, value string) error {
	_, err := cluster.Kubectl(ctx, "patch", "mesh", names.DefaultMesh, "--type=merge", "-p", `{"spec":{"traffic":{"permissive":`+value+`}}}`)
	return err
}
