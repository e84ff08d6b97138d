package gatewayapi

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/e2e/lab"
)

// cluster is the cluster of all tests.
var cluster *lab.Cluster

// installLimit is the time limit for installing the operator and a mesh.
const installLimit = 4 * time.Minute

func TestMain(m *testing.M) {
	os.Exit(lab.Suite{SetUp: setUp, FailureMessage: "cannot set up the mesh", Out: os.Stderr}.Run(m))
}

// setUp installs a mesh, the images of the suite, and the definitions of its release. The definitions remain.
func setUp(ctx context.Context) (*lab.Cluster, error) {
	var err error
	if cluster, err = lab.Prepare(ctx, os.Stderr, installLimit); err != nil {
		return cluster, err
	}
	if err := loadImages(ctx); err != nil {
		return cluster, err
	}
	definitions, err := cluster.Repository.ToolOutput(ctx, "./conformance", "definitions")
	if err != nil {
		return cluster, err
	}
	return cluster, cluster.InstallGatewayAPIFrom(ctx, definitions)
}

// loadImages loads the images of the suite. The nodes of another cluster pull them.
func loadImages(ctx context.Context) error {
	if lab.IsCurrent() {
		return nil
	}
	images, err := cluster.Repository.ToolOutput(ctx, "./conformance", "images")
	if err != nil {
		return err
	}
	return cluster.Repository.Tool(ctx, os.Stderr, append([]string{"./cluster", "load"}, strings.Fields(images)...)...)
}
