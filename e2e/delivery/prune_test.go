package delivery

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/report"
)

const (
	prunedName = "pruned"
	prunedMesh = `apiVersion: operator.openservicemesh.io/v1alpha1
kind: Mesh
metadata: {name: pruned}
spec:
  namespace: pruned-system
  controlPlane: {controller: {replicas: 1}, injector: {replicas: 1}}
  removal: {sidecars: Wait}
`
	// kept is what remains in the repository: neither tool prunes everything without a request.
	kept = `apiVersion: v1
kind: ConfigMap
metadata: {name: kept, namespace: default}
`
	prunedByFlux = `apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: osm, namespace: flux-system}
spec: {url: https://git.example.com/platform/osm.git, ref: {branch: main}, interval: 1m}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: osm-mesh, namespace: flux-system}
spec: {sourceRef: {kind: GitRepository, name: osm}, path: ./mesh, interval: 10m, timeout: 5m, wait: true, prune: true}
`
	// argoFinalizer makes Argo CD delete the objects of an Application that is deleted.
	argoFinalizer = "resources-finalizer.argocd.argoproj.io"
	// waitingTime is how long requests must succeed while the Mesh waits for its sidecars.
	waitingTime = 20 * time.Second
)

// TestMeshIsPrunedByFlux removes a Mesh from the repository while sidecars run.
func TestMeshIsPrunedByFlux(t *testing.T) {
	lab.RequireFull(t)
	lab.Must(t, cluster.Repository.Tool(t.Context(), os.Stderr, "./cluster", "load-servers", "flux"))
	t.Cleanup(func() { removePruned(t) })
	t.Cleanup(func() {
		lab.Must(t, cluster.Repository.Tool(context.Background(), os.Stderr, "./cluster", "flux", "down"))
	})
	lab.Must(t, cluster.Repository.Tool(t.Context(), os.Stderr, "./cluster", "flux", "up"))
	repository := serveRepository(t)
	revision := repository.push(t, map[string]string{"mesh/kept.yaml": kept, "mesh/mesh.yaml": prunedMesh})
	sync := strings.ReplaceAll(prunedByFlux, "https://git.example.com/platform/osm.git", repository.url)
	lab.Must(t, cluster.Put(t.Context(), sync))
	t.Cleanup(func() { lab.Must(t, cluster.Delete(context.Background(), sync)) })
	awaitSynced(t, "osm-mesh", revision)
	traffic := startTrafficIn(t, prunedName)

	revision = repository.remove(t, "mesh/mesh.yaml")
	for _, object := range []string{"gitrepository/osm", "kustomization/osm-mesh"} {
		kubectl(t, "--namespace", "flux-system", "annotate", object, "--overwrite", fmt.Sprintf("reconcile.fluxcd.io/requestedAt=%d", time.Now().UnixNano()))
	}
	requireOrderlyRemoval(t, traffic)
	awaitSynced(t, "osm-mesh", revision)
}

// TestMeshIsPrunedByArgoCD removes a Mesh while sidecars run: from the repository, and then with the Application, whose finalizer deletes its objects. The Mesh
// does not have the annotations that would keep it.
func TestMeshIsPrunedByArgoCD(t *testing.T) {
	lab.RequireFull(t)
	t.Cleanup(func() { removePruned(t) })
	installArgoCD(t)
	repository := serveRepository(t)
	application := strings.ReplaceAll(readFile(t, "config", "argocd", "application.yaml"), "https://git.example.com/platform/osm.git", repository.url)
	revision := repository.push(t, map[string]string{"osm/kept.yaml": kept, "osm/mesh.yaml": prunedMesh})
	lab.Must(t, cluster.Put(t.Context(), application))
	awaitApplication(t, revision, "Synced", "Healthy", "")

	t.Run("commit", func(t *testing.T) {
		traffic := startTrafficIn(t, prunedName)
		revision = repository.remove(t, "osm/mesh.yaml")
		refresh(t)
		requireOrderlyRemoval(t, traffic)
		awaitApplication(t, revision, "Synced", "Healthy", "")
	})
	t.Run("finalizer", func(t *testing.T) {
		revision = repository.push(t, map[string]string{"osm/mesh.yaml": prunedMesh})
		awaitApplication(t, revision, "Synced", "Healthy", "")
		traffic := startTrafficIn(t, prunedName)
		kubectl(t, "--namespace", argoNamespace, "patch", "application", "osm", "--type", "merge", "--patch", `{"metadata":{"finalizers":["`+argoFinalizer+`"]}}`)
		kubectl(t, "--namespace", argoNamespace, "delete", "application", "osm", "--wait=false")
		requireOrderlyRemoval(t, traffic)
		lab.Eventually(t, podLimit, "the Application is gone", func(ctx context.Context) (bool, string, error) {
			output, err := cluster.Kubectl(ctx, "--namespace", argoNamespace, "get", "application", "osm", "--ignore-not-found", "--output", "name")
			return output == "", output, err
		})
	})
}

// requireOrderlyRemoval requires that the deleted Mesh waits for its sidecars, whose requests succeed, and is gone after them.
func requireOrderlyRemoval(t *testing.T, traffic *lab.Running[report.Requests]) {
	t.Helper()
	lab.Eventually(t, podLimit, "the deleted Mesh waits for sidecars", func(ctx context.Context) (bool, string, error) {
		mesh, err := readPruned(ctx)
		if err != nil {
			return false, "", err
		}
		ready := meta.FindStatusCondition(mesh.Status.Conditions, v1alpha1.ConditionReady)
		if mesh.DeletionTimestamp == nil || ready == nil {
			return false, "it is not deleted", nil
		}
		return ready.Reason == v1alpha1.ReasonWaitingForSidecars, ready.Reason + ": " + ready.Message, nil
	})
	time.Sleep(waitingTime)
	finishTraffic(t, traffic)
	lab.Must(t, cluster.DeleteNamespace(t.Context(), trafficNamespace))
	lab.Eventually(t, podLimit, "the Mesh is gone", func(ctx context.Context) (bool, string, error) {
		mesh, err := readPruned(ctx)
		if apierrors.IsNotFound(err) {
			return true, "", nil
		}
		return false, fmt.Sprint(mesh.Finalizers), err
	})
}

func readPruned(ctx context.Context) (*v1alpha1.Mesh, error) {
	mesh := &v1alpha1.Mesh{}
	return mesh, cluster.Client.Get(ctx, client.ObjectKey{Name: prunedName}, mesh)
}

// removePruned removes what a failed test leaves.
func removePruned(t *testing.T) {
	t.Helper()
	lab.Must(t, cluster.DeleteNamespace(context.Background(), trafficNamespace))
	_, err := cluster.Kubectl(context.Background(), "delete", "--ignore-not-found", "--wait", "--timeout", installLimit.String(), "mesh/"+prunedName)
	lab.Must(t, err)
	_, err = cluster.Kubectl(context.Background(), "delete", "--ignore-not-found", "--wait", "--timeout", podLimit.String(), "namespace/"+prunedName+"-system")
	lab.Must(t, err)
	_, err = cluster.Kubectl(context.Background(), "delete", "--ignore-not-found", "--namespace", "default", "configmap/kept")
	lab.Must(t, err)
}
