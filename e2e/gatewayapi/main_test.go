package gatewayapi

import (
	"context"
	"errors"
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

// setUp installs a permissive mesh, because the pods of the suite have one service account, with pods for each Gateway, because its Gateways have
// the same ports, and what the suite needs.
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
	// The Gateways of the suite refer to Secrets in namespaces that it makes itself, so the permission to read them is for all namespaces.
	_, err = cluster.Kubectl(ctx, "create", "clusterrolebinding", secretsBinding, "--clusterrole="+names.DefaultMesh+"-gateway-certificate-reader",
		"--serviceaccount="+names.DefaultNamespace+":osm-controller")
	if err != nil {
		return cluster, err
	}
	return cluster, patchMesh(ctx, `{"traffic":{"permissive":true},"ingressGateway":{"mode":"Managed","deployment":"PerGateway","replicas":1,"service":{"type":"ClusterIP"}}}`)
}

// secretsBinding lets the control plane read the certificates of Gateways.
const secretsBinding = "conformance-gateway-certificates"

func tearDown(ctx context.Context) error {
	_, err := cluster.Kubectl(ctx, "delete", "clusterrolebinding", secretsBinding, "--ignore-not-found")
	// A field that is removed from the Mesh keeps its value in the MeshConfig.
	return errors.Join(err, patchMesh(ctx, `{"traffic":{"permissive":false},"ingressGateway":null}`))
}

// patchMesh changes the spec of the Mesh.
func patchMesh(ctx context.Context, spec string) error {
	_, err := cluster.Kubectl(ctx, "patch", "mesh", names.DefaultMesh, "--type=merge", "-p", `{"spec":`+spec+`}`)
	return err
}
