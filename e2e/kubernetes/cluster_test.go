package kubernetes

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Versions that the local cluster tool can build, see hack/kube.
const (
	newest = "1.37"
	// beforeNewest is the version from which a cluster is upgraded to the newest.
	beforeNewest = "1.36"
	// oldestKubelet is the oldest kubelet that Kubernetes supports with an API server of the newest version.
	oldestKubelet = "1.34"
)

// oldest is the minor version of the oldest supported Kubernetes.
func oldest() string { return strings.TrimSuffix(names.OldestKubernetes, ".0") }

// Variables of the local cluster tool, see docs/local-cluster.md.
const (
	kubernetesVariable = "OSM_LOCAL_KUBERNETES"
	kubeletVariable    = "OSM_LOCAL_KUBELET"
	familyVariable     = "OSM_LOCAL_FAMILY"
	proxyVariable      = "OSM_LOCAL_PROXY"
)

const (
	// installLimit is the time limit for installing the operator and a mesh.
	installLimit = 4 * time.Minute
	// podLimit is the time limit for pods with sidecars to become ready.
	podLimit = 3 * time.Minute
	// downLimit is the time limit for the removal of a cluster.
	downLimit = 2 * time.Minute
)

// versions are the settings of a cluster with these versions.
func versions(kubernetes, kubelet string) map[string]string {
	return map[string]string{kubernetesVariable: kubernetes, kubeletVariable: kubelet}
}

// start replaces the local cluster by one with settings, the operator and the sample mesh. The test removes it: the next package starts a usual cluster.
func start(t *testing.T, settings map[string]string) *lab.Cluster {
	t.Helper()
	lab.RequireFull(t)
	if lab.IsCurrent() {
		t.Skip("what the current cluster is made of is not chosen here")
	}
	repository, err := lab.FindRepository()
	lab.Must(t, err)
	// The log of requests ends with the cluster.
	lab.Must(t, checkPermissions(t.Context(), repository))
	lab.Must(t, repository.Tool(t.Context(), os.Stderr, "./cluster", "down"))
	for variable, value := range settings {
		t.Setenv(variable, value)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), downLimit)
		defer cancel()
		if err := checkPermissions(ctx, repository); err != nil {
			t.Error(err)
		}
		if err := repository.Tool(ctx, os.Stderr, "./cluster", "down"); err != nil {
			t.Error(err)
		}
	})
	cluster, err := lab.Prepare(t.Context(), os.Stderr, installLimit)
	if err != nil && cluster != nil {
		t.Log(cluster.ControlPlaneLogs(t.Context(), names.DefaultNamespace))
	}
	lab.Must(t, err)
	return cluster
}

// checkPermissions fails if the API server has rejected a request of the mesh for lack of permission. Without a cluster there is nothing to check.
func checkPermissions(ctx context.Context, repository lab.Repository) error {
	if repository.Tool(ctx, os.Stderr, "./cluster", "status") != nil {
		return nil
	}
	return repository.Tool(ctx, os.Stderr, "./permissions")
}
