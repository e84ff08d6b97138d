package takeover

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/e2e/lab"
)

// cluster is the cluster of all tests.
var cluster *lab.Cluster

const (
	// installLimit is the time limit for installing OSM, the operator or a mesh.
	installLimit = 4 * time.Minute
	// podLimit is the time limit for pods to become ready.
	podLimit = 4 * time.Minute
	// effectLimit is the time limit for a change to take effect.
	effectLimit = 2 * time.Minute
	// cleanLimit is the time limit for removing everything.
	cleanLimit = 5 * time.Minute
)

func TestMain(m *testing.M) {
	os.Exit(lab.Suite{SetUp: setUp, FailureMessage: "cannot set up the takeover tests", Out: os.Stderr, TearDown: tearDown}.Run(m))
}

// setUp starts a cluster without an operator and without the kinds of OSM and SMI, because OSM installs its own.
func setUp(ctx context.Context) (*lab.Cluster, error) {
	if !lab.IsFull() {
		return nil, nil
	}
	var err error
	if cluster, err = lab.Start(ctx, os.Stderr); err != nil {
		return nil, err
	}
	if err := cluster.BuildImages(ctx, os.Stderr); err != nil {
		return cluster, err
	}
	return cluster, clean(ctx)
}

// tearDown removes everything, so that tests of other packages install their own kinds.
func tearDown(ctx context.Context) error {
	if cluster == nil {
		return nil
	}
	return clean(ctx)
}

// clean removes the applications, OSM, meshes, the operator, and the kinds of all three.
func clean(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, cleanLimit)
	defer cancel()
	failed := deleteNamespaces(ctx, append(bookNamespaces(), shopNamespace, outsideNamespace)...)
	_, err := cluster.Kubectl(ctx, "get", "crd", "meshes.operator.openservicemesh.io")
	if err == nil {
		_, err = cluster.Kubectl(ctx, "delete", "mesh", "--all", "--timeout=3m")
		failed = errors.Join(failed, err)
	}
	failed = errors.Join(failed, cluster.UninstallOperator(ctx), uninstallOSM(ctx))
	for _, kind := range []string{"mutatingwebhookconfiguration", "validatingwebhookconfiguration", "crd"} {
		_, err := cluster.Kubectl(ctx, "delete", kind, "-l", "app.kubernetes.io/name=openservicemesh.io", "--ignore-not-found", "--timeout=2m")
		failed = errors.Join(failed, err)
	}
	definitions, err := cluster.Kubectl(ctx, "get", "crd", "-o", "name")
	failed = errors.Join(failed, err)
	for name := range strings.FieldsSeq(definitions) {
		if strings.HasSuffix(name, ".smi-spec.io") || strings.HasSuffix(name, ".openservicemesh.io") {
			_, err := cluster.Kubectl(ctx, "delete", name, "--ignore-not-found", "--timeout=2m")
			failed = errors.Join(failed, err)
		}
	}
	return errors.Join(failed, deleteNamespaces(ctx, osmNamespace, besideNamespace))
}

// deleteNamespaces deletes namespaces and waits until they are gone.
func deleteNamespaces(ctx context.Context, namespaces ...string) error {
	_, err := cluster.Kubectl(ctx, append([]string{"delete", "namespace", "--ignore-not-found", "--timeout=3m"}, namespaces...)...)
	return err
}

// eventually waits until check returns done.
func eventually(t *testing.T, what string, check func(context.Context) (bool, string, error)) {
	t.Helper()
	lab.Eventually(t, effectLimit, what, check)
}

func kubectl(t *testing.T, args ...string) string {
	t.Helper()
	output, err := cluster.Kubectl(t.Context(), args...)
	lab.Must(t, err)
	return output
}
