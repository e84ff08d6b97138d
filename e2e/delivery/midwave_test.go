package delivery

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// commitLimit is the time limit for a commit in the middle of a wave to take effect. It is shorter than a server would wait for the wave.
	commitLimit = 2 * time.Minute
	// heldTime is how long a paused upgrade is observed.
	heldTime = 20 * time.Second
	// fast upgrades workloads one after the other without a pause, and slow waits for an hour between two of them.
	fast = "upgrade: {gates: {soak: 1s}, dataPlane: {maxConcurrentRestarts: 1, pauseBetween: 1s}}"
	slow = "upgrade: {gates: {soak: 1s}, dataPlane: {maxConcurrentRestarts: 1, pauseBetween: 1h}}"
)

// TestCommitsInTheMiddleOfAWave upgrades a mesh by commits, with an hour between two workloads. Meanwhile a commit pauses the upgrade, and another one returns
// to the earlier version. Both take effect at once, and no request fails.
func TestCommitsInTheMiddleOfAWave(t *testing.T) {
	lab.RequireFull(t)
	lab.Must(t, cluster.LoadVersion(t.Context(), os.Stderr, cluster.Earlier))
	for _, server := range []struct {
		name  string
		start func(t *testing.T) (commit func(spec string))
	}{{"Flux", startFlux}, {"Argo CD", startArgoCD}} {
		t.Run(server.name, func(t *testing.T) {
			t.Cleanup(func() { restoreMesh(t) })
			traffic := startTraffic(t)
			account, pod := cluster.TestPod(trafficNamespace, "other")
			lab.Must(t, cluster.Create(t.Context(), account, serverDeployment(pod)))
			lab.Must(t, cluster.PodsReady(t.Context(), podLimit, trafficNamespace))
			commit := server.start(t)

			commit(fmt.Sprintf("{version: %s, %s}", cluster.Earlier, fast))
			awaitVersion(t, cluster.Earlier)
			awaitOutdated(t, installLimit, 0, 1) // the pod of the client has no workload
			commit(fmt.Sprintf("{version: %s, %s}", version(t), slow))
			awaitOutdated(t, 2*installLimit, 2, 2) // one of two workloads is restarted

			commit(fmt.Sprintf("{version: %s, paused: true, %s}", version(t), slow))
			awaitMesh(t, "is paused", func(mesh *v1alpha1.Mesh) bool {
				return mesh.Spec.Paused != nil && *mesh.Spec.Paused && meta.IsStatusConditionTrue(mesh.Status.Conditions, v1alpha1.ConditionPaused)
			})
			time.Sleep(heldTime)
			awaitOutdated(t, podLimit, 2, 2)
			commit(fmt.Sprintf("{version: %s, %s}", cluster.Earlier, fast))
			awaitMesh(t, "goes back", func(mesh *v1alpha1.Mesh) bool {
				return mesh.Spec.Paused == nil && mesh.Status.DesiredVersion == cluster.Earlier
			})
			awaitVersion(t, cluster.Earlier)
			awaitOutdated(t, installLimit, 0, 1)
			finishTraffic(t, traffic)
		})
	}
}

// startFlux lets Flux follow a repository, and returns what commits a spec of the Mesh.
func startFlux(t *testing.T) func(spec string) {
	t.Helper()
	repository := followByFlux(t)
	return func(spec string) {
		t.Helper()
		repository.push(t, map[string]string{"mesh/mesh.yaml": strings.Replace(readFile(t, "config", "samples", "operator_v1alpha1_mesh.yaml"), "spec: {}", "spec: "+spec, 1)})
		requestSync(t)
	}
}

// startArgoCD lets Argo CD follow a repository, and returns what commits a spec of the Mesh.
func startArgoCD(t *testing.T) func(spec string) {
	t.Helper()
	t.Cleanup(func() { removeInstance(t) })
	commit := followByArgoCD(t)
	return func(spec string) {
		t.Helper()
		commit(spec)
		refresh(t)
	}
}

// awaitMesh waits until the Mesh is in a state that a commit asks for.
func awaitMesh(t *testing.T, what string, holds func(*v1alpha1.Mesh) bool) {
	t.Helper()
	lab.Eventually(t, commitLimit, "the mesh "+what, func(ctx context.Context) (bool, string, error) {
		mesh := &v1alpha1.Mesh{}
		err := cluster.Client.Get(ctx, client.ObjectKey{Name: names.DefaultMesh}, mesh)
		return holds(mesh), fmt.Sprintf("spec %+v, upgrade %+v", mesh.Spec, mesh.Status.Upgrade), err
	})
}

// awaitOutdated waits until the number of outdated sidecars is in a range, and the status is about the present spec.
func awaitOutdated(t *testing.T, limit time.Duration, least, most int32) {
	t.Helper()
	mesh := &v1alpha1.Mesh{}
	lab.Eventually(t, limit, fmt.Sprintf("%d to %d sidecars are outdated", least, most), func(ctx context.Context) (bool, string, error) {
		if err := cluster.Client.Get(ctx, client.ObjectKey{Name: names.DefaultMesh}, mesh); err != nil {
			return false, "", err
		}
		counts := mesh.Status.Proxies
		isRead := counts != nil && mesh.Status.ObservedGeneration == mesh.Generation
		return isRead && counts.Outdated >= least && counts.Outdated <= most, fmt.Sprintf("%+v, upgrade %+v", counts, mesh.Status.Upgrade), nil
	})
}
