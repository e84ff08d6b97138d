package peers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

var (
	// west is the local cluster, whose mesh has the default trust domain.
	west *lab.Cluster
	// east is a cluster on a simulated machine.
	east *lab.Machine
)

const (
	// installLimit is the time limit for installing the operator and a mesh.
	installLimit = 4 * time.Minute
	// podLimit is the time limit for pods to become ready, and callLimit for requests to succeed or to fail.
	podLimit, callLimit = 2 * time.Minute, time.Minute
	// westName and eastName are the names of the MeshPeers.
	westName, eastName = "west", "east"
)

func TestMain(m *testing.M) {
	os.Exit(lab.Suite{SetUp: setUp, FailureMessage: "cannot set up two meshes", TearDown: tearDown, Out: os.Stderr}.Run(m))
}

// setUp installs a mesh in each cluster, with peer gateways.
func setUp(ctx context.Context) (*lab.Cluster, error) {
	if lab.IsCurrent() {
		return nil, nil
	}
	var err error
	if west, err = lab.Prepare(ctx, os.Stderr, installLimit); err != nil {
		return west, err
	}
	if err := west.Repository.BuildOSM(ctx, os.Stderr); err != nil {
		return west, err
	}
	if err := west.Patch(ctx, westMesh(), `{"spec":{"peerGateway":{"mode":"Managed"}}}`); err != nil {
		return west, err
	}
	if east, err = west.StartMachine(ctx, os.Stderr, eastName); err != nil {
		return west, err
	}
	if err := installEast(ctx); err != nil {
		return east.Cluster, err
	}
	return west, west.MeshReady(ctx, names.DefaultMesh, installLimit)
}

func westMesh() *v1alpha1.Mesh {
	return &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: names.DefaultMesh}}
}

// eastMesh has another trust domain than the mesh in the west: without that, they are no peers.
const eastMesh = `apiVersion: operator.openservicemesh.io/v1alpha1
kind: Mesh
metadata: {name: osm}
spec:
  certificates: {trustDomain: east.example}
  peerGateway: {mode: Managed}
`

func installEast(ctx context.Context) error {
	if err := east.InstallOperator(ctx, installLimit); err != nil {
		return err
	}
	if err := east.Put(ctx, eastMesh); err != nil {
		return err
	}
	return east.MeshReady(ctx, names.DefaultMesh, installLimit)
}

// tearDown leaves the mesh in the west as other packages expect it.
func tearDown(ctx context.Context) error {
	if east == nil {
		return nil
	}
	peer := &v1alpha1.MeshPeer{ObjectMeta: metav1.ObjectMeta{Name: eastName}}
	return errors.Join(
		client.IgnoreNotFound(west.Client.Delete(ctx, peer)), west.Patch(ctx, westMesh(), `{"spec":{"peerGateway":null}}`),
		west.DeletedNamespacesAreGone(ctx), east.Stop(ctx),
	)
}

// requirePeers skips a test if there are no two meshes.
func requirePeers(t *testing.T) {
	t.Helper()
	if east == nil {
		t.Skip("machines can be simulated on the local cluster only")
	}
}

// osm runs the osm command in a cluster and returns what it prints.
func osm(t *testing.T, cluster *lab.Cluster, args ...string) string {
	t.Helper()
	printed, code, err := cluster.OSM(t.Context(), args...)
	lab.Must(t, err)
	if code != 0 {
		t.Fatalf("osm %v has the exit code %d: %s", args, code, printed)
	}
	return printed
}

// meshPeer returns the MeshPeer by which another mesh declares the one of a cluster.
func meshPeer(t *testing.T, cluster *lab.Cluster, name string) string {
	t.Helper()
	gateway := &corev1.Service{}
	lab.Must(t, cluster.Client.Get(t.Context(), client.ObjectKey{Namespace: names.DefaultNamespace, Name: names.PeerGateway}, gateway))
	return osm(t, cluster, "peer", "show", name, "--gateway", fmt.Sprintf("%s:%d", gateway.Spec.ClusterIP, names.PeerGatewayPort))
}
