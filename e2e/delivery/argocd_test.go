package delivery

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// quietTime is how long a failed Application must stay as it is. The controller compares every ten seconds.
const quietTime = 45 * time.Second

// TestArgoCD lets Argo CD take over the operator and the mesh from Git, change the mesh by a commit, and repair manual changes. A commit that the
// operator rejects is Degraded with the reason of the Mesh, and is not applied again and again. Nothing that the operator creates is drift or
// is pruned. No request fails.
func TestArgoCD(t *testing.T) {
	lab.RequireFull(t)
	traffic := startTraffic(t)
	t.Cleanup(func() { removeInstance(t) })
	t.Cleanup(func() { restoreMesh(t) })
	namespace := uidOf(t, "namespace", names.DefaultNamespace)
	commit := followByArgoCD(t)

	revision := commit("{controlPlane: {logLevel: debug}}")
	awaitApplication(t, revision, "Synced", "Healthy", "")
	requireLogLevel(t, "debug")

	changeMesh(t, `{"spec":{"controlPlane":{"logLevel":"error"}}}`)
	awaitLogLevel(t, "debug")
	lab.Must(t, stopOperator(t.Context(), names.OperatorNamespace))
	awaitOperator(t)
	awaitApplication(t, revision, "Synced", "Healthy", "")

	for _, mode := range comparisons() {
		t.Run(mode.name, func(t *testing.T) { requireNoDrift(t, revision, mode) })
	}

	revision = commit("{version: v9.9.9, controlPlane: {logLevel: debug}}")
	awaitApplication(t, revision, "Synced", "Degraded", "v9.9.9")
	requireQuiet(t)
	revision = commit("{}")
	awaitApplication(t, revision, "Synced", "Healthy", "")

	if got := uidOf(t, "namespace", names.DefaultNamespace); got != namespace {
		t.Errorf("the namespace of the mesh was replaced: UID %s, before %s", got, namespace)
	}
	finishTraffic(t, traffic)
}

// followByArgoCD lets Argo CD take over the operator and the mesh from a repository. It returns what commits a spec of the Mesh, and returns the commit.
func followByArgoCD(t *testing.T) func(spec string) (revision string) {
	t.Helper()
	installArgoCD(t)
	repository := serveRepository(t)
	commit := func(spec string) string {
		t.Helper()
		return repository.push(t, map[string]string{
			"osm/install.yaml": readFile(t, "dist", "install.yaml"),
			"osm/mesh.yaml":    strings.Replace(readFile(t, "config", "argocd", "mesh.yaml"), "spec: {}", "spec: "+spec, 1),
		})
	}
	revision := commit("{}")
	application := strings.ReplaceAll(readFile(t, "config", "argocd", "application.yaml"), "https://git.example.com/platform/osm.git", repository.url)
	lab.Must(t, cluster.Put(t.Context(), application))
	awaitApplication(t, revision, "Synced", "Healthy", "")
	return commit
}

// removeInstance removes the label by which Argo CD knows the objects of an Application. It remains when that is deleted, and another Application of this
// name would prune the operator.
func removeInstance(t *testing.T) {
	t.Helper()
	_, err := cluster.Kubectl(context.Background(), "label", "--filename", cluster.Repository.Path("dist", "install.yaml"), names.InstanceLabel+"-")
	lab.Must(t, err)
	_, err = cluster.Kubectl(context.Background(), "label", "mesh", names.DefaultMesh, names.InstanceLabel+"-")
	lab.Must(t, err)
}

// changeMesh changes the Mesh, as a user does with kubectl.
func changeMesh(t *testing.T, patch string) {
	t.Helper()
	mesh := &v1alpha1.Mesh{}
	mesh.Name = names.DefaultMesh
	lab.Must(t, cluster.Patch(t.Context(), mesh, patch))
}

// awaitLogLevel waits until Argo CD has restored the log level of the control plane in the Mesh.
func awaitLogLevel(t *testing.T, want string) {
	t.Helper()
	lab.Eventually(t, podLimit, "the Mesh has the log level "+want, func(ctx context.Context) (bool, string, error) {
		got, err := cluster.Kubectl(ctx, "get", "mesh", names.DefaultMesh, "--output", "jsonpath={.spec.controlPlane.logLevel}")
		return got == want, got, err
	})
}

// uidOf returns the UID of an object, which changes when it is created again.
func uidOf(t *testing.T, kind, name string) string {
	t.Helper()
	uid, err := cluster.Kubectl(t.Context(), "get", kind, name, "--output", "jsonpath={.metadata.uid}")
	lab.Must(t, err)
	return uid
}
