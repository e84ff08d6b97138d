package delivery

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// meshInGit is the Mesh of the sample with more logs.
	meshInGit = `apiVersion: operator.openservicemesh.io/v1alpha1
kind: Mesh
metadata: {name: osm}
spec: {controlPlane: {logLevel: debug}}
`
	// unknownVersion is a Mesh that the operator cannot install.
	unknownVersion = `apiVersion: operator.openservicemesh.io/v1alpha1
kind: Mesh
metadata: {name: osm}
spec: {version: v9.9.9}
`
)

// TestFlux lets Flux take over the operator and the mesh from Git, change the mesh by commits, and repair the operator. A commit that the
// operator rejects fails with the reason of the Mesh. No request fails.
func TestFlux(t *testing.T) {
	lab.RequireFull(t)
	traffic := startTraffic(t)
	t.Cleanup(func() { restoreMesh(t) })
	repository := followByFlux(t)

	revision := repository.push(t, map[string]string{"mesh/mesh.yaml": meshInGit})
	requestSync(t)
	awaitSynced(t, "osm-mesh", revision)
	requireLogLevel(t, "debug")

	revision = repository.push(t, map[string]string{"mesh/mesh.yaml": unknownVersion})
	requestSync(t)
	awaitFailed(t, "osm-mesh", revision, "Mesh/osm")
	revision = repository.push(t, map[string]string{"mesh/mesh.yaml": readFile(t, "config", "samples", "operator_v1alpha1_mesh.yaml")})
	requestSync(t)
	awaitSynced(t, "osm-mesh", revision)
	lab.Must(t, cluster.MeshReady(t.Context(), names.DefaultMesh, podLimit))

	lab.Must(t, stopOperator(t.Context(), names.OperatorNamespace))
	requestSync(t)
	awaitOperator(t)
	finishTraffic(t, traffic)
}

// followByFlux lets Flux take over the operator and the mesh from the repository that it returns.
func followByFlux(t *testing.T) gitRepository {
	t.Helper()
	lab.Must(t, cluster.Repository.Tool(t.Context(), os.Stderr, "./cluster", "load-servers", "flux"))
	t.Cleanup(func() {
		lab.Must(t, cluster.Repository.Tool(context.Background(), os.Stderr, "./cluster", "flux", "down"))
	})
	lab.Must(t, cluster.Repository.Tool(t.Context(), os.Stderr, "./cluster", "flux", "up"))
	repository := serveRepository(t)
	revision := repository.push(t, map[string]string{
		"operator/install.yaml": readFile(t, "dist", "install.yaml"),
		"mesh/mesh.yaml":        readFile(t, "config", "samples", "operator_v1alpha1_mesh.yaml"),
	})
	sync := strings.ReplaceAll(readFile(t, "config", "flux", "sync.yaml"), "https://git.example.com/platform/osm.git", repository.url)
	lab.Must(t, cluster.Put(t.Context(), sync))
	t.Cleanup(func() { lab.Must(t, cluster.Delete(context.Background(), sync)) })
	awaitSynced(t, "osm-operator", revision)
	awaitSynced(t, "osm-mesh", revision)
	return repository
}

// readFile returns the content of a file of this checkout.
func readFile(t *testing.T, path ...string) string {
	t.Helper()
	content, err := os.ReadFile(cluster.Repository.Path(path...))
	lab.Must(t, err)
	return string(content)
}

// requireLogLevel requires the log level of the control plane in the Mesh.
func requireLogLevel(t *testing.T, want string) {
	t.Helper()
	got, err := cluster.Kubectl(t.Context(), "get", "mesh", names.DefaultMesh, "--output", "jsonpath={.spec.controlPlane.logLevel}")
	lab.Must(t, err)
	if got != want {
		t.Errorf("the Mesh has the log level %q, want %q", got, want)
	}
}

// awaitOperator waits until the Deployment of the operator exists and is available.
func awaitOperator(t *testing.T) {
	t.Helper()
	lab.Eventually(t, podLimit, "the operator is there again", func(ctx context.Context) (bool, string, error) {
		output, err := cluster.Kubectl(ctx, "--namespace", names.OperatorNamespace, "rollout", "status", "deployment/"+names.Operator, "--timeout=10s")
		if err != nil {
			return false, err.Error(), nil
		}
		return true, output, nil
	})
}

// requestSync lets Flux read the repository and apply it now.
func requestSync(t *testing.T) {
	t.Helper()
	for _, object := range []string{"gitrepository/osm", "kustomization/osm-operator", "kustomization/osm-mesh"} {
		_, err := cluster.Kubectl(t.Context(), "--namespace", "flux-system", "annotate", object, "--overwrite",
			fmt.Sprintf("reconcile.fluxcd.io/requestedAt=%d", time.Now().UnixNano()))
		lab.Must(t, err)
	}
}

// awaitSynced waits until a Kustomization is ready with a commit.
func awaitSynced(t *testing.T, name, revision string) {
	t.Helper()
	awaitKustomization(t, name, "True", revision, "")
}

// awaitFailed waits until a Kustomization has failed with a commit, and its message has a text.
func awaitFailed(t *testing.T, name, revision, text string) {
	t.Helper()
	awaitKustomization(t, name, "False", revision, text)
}

func awaitKustomization(t *testing.T, name, ready, revision, text string) {
	t.Helper()
	what := fmt.Sprintf("Kustomization %s has Ready=%s at %.7s", name, ready, revision)
	lab.Eventually(t, installLimit, what, func(ctx context.Context) (bool, string, error) {
		object := &unstructured.Unstructured{}
		object.SetGroupVersionKind(schema.GroupVersionKind{Group: "kustomize.toolkit.fluxcd.io", Version: "v1", Kind: "Kustomization"})
		if err := cluster.Client.Get(ctx, client.ObjectKey{Namespace: "flux-system", Name: name}, object); err != nil {
			return false, err.Error(), nil
		}
		attempted, _, _ := unstructured.NestedString(object.Object, "status", "lastAttemptedRevision")
		conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
		for _, c := range conditions {
			condition, _ := c.(map[string]any)
			if condition["type"] == "Ready" {
				message := fmt.Sprint(condition["message"])
				done := condition["status"] == ready && strings.Contains(attempted, revision) && strings.Contains(message, text)
				return done, fmt.Sprintf("Ready=%v at %s: %s", condition["status"], attempted, message), nil
			}
		}
		return false, "no condition Ready", nil
	})
}
