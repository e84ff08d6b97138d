package certificates

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// cluster is the cluster of all tests.
var cluster *lab.Cluster

const (
	// installLimit is the time limit for installing the operator and a mesh.
	installLimit = 4 * time.Minute
	// podLimit is the time limit for pods to become ready.
	podLimit = 3 * time.Minute
	// rotationLimit is the time limit for a change of the certificate authority.
	rotationLimit = 4 * time.Minute
	// mountDelay is the operator's setting in these tests. The kubelet of the local cluster updates files within seconds.
	mountDelay = 20 * time.Second
)

func TestMain(m *testing.M) {
	os.Exit(lab.Suite{SetUp: setUp, FailureMessage: "cannot set up the certificate tests", TearDown: tearDown, Out: os.Stderr}.Run(m))
}

// setUp installs the operator, the sample mesh and cert-manager.
func setUp(ctx context.Context) (*lab.Cluster, error) {
	var err error
	if cluster, err = lab.Prepare(ctx, os.Stderr, installLimit); err != nil {
		return cluster, err
	}
	patch := fmt.Sprintf(`[{"op":"add","path":"/spec/template/spec/containers/0/args/-","value":"--mount-delay=%s"}]`, mountDelay)
	operator := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: names.OperatorNamespace, Name: names.Operator}}
	if err := cluster.Client.Patch(ctx, operator, client.RawPatch(types.JSONPatchType, []byte(patch))); err != nil {
		return cluster, err
	}
	if err := certManager(ctx, "up"); err != nil {
		return cluster, err
	}
	return cluster, cluster.Available(ctx, installLimit, names.OperatorNamespace)
}

// tearDown removes cert-manager. The next suite installs the operator with its own settings.
func tearDown(ctx context.Context) error { return certManager(ctx, "down") }

// certManager installs or removes cert-manager. The user's own cluster must have it.
func certManager(ctx context.Context, command string) error {
	if lab.IsCurrent() {
		return nil
	}
	return cluster.Repository.Tool(ctx, os.Stderr, "./cluster", "cert-manager", command)
}
