package takeover

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// replacement is the Mesh that replaces OSM, in the mode that docs/migration.md starts with.
const replacement = `{apiVersion: operator.openservicemesh.io/v1alpha1, kind: Mesh, metadata: {name: osm}, spec: {namespace: osm-system, mode: Plan,
controlPlane: {controller: {replicas: 1}, injector: {replicas: 1}}, upgrade: {dataPlane: {maxUnavailable: 100%, pauseBetween: 0s}}}}`

// bareSidecars is the number of sidecars that the operator does not restart.
const bareSidecars = 2

// TestOSMIsReplaced follows docs/migration.md with the real OSM under load.
func TestOSMIsReplaced(t *testing.T) {
	lab.RequireFull(t)
	must(t, clean(t.Context()))
	deployApplications(t)
	installOSM(t)
	onboard(t)
	requireTraffic(t, keeper)

	old := startLoad(t, keeper)
	step := stepper(t)
	must(t, uninstallOSM(t.Context()))
	step("OSM is removed")
	must(t, cluster.InstallOperator(t.Context(), installLimit))
	step("the operator runs")
	must(t, cluster.Put(t.Context(), replacement))
	kubectl(t, "wait", "mesh", names.DefaultMesh, "--for=condition=Planned", "--timeout=2m")
	must(t, cluster.Patch(t.Context(), &v1alpha1.Mesh{ObjectMeta: objectNamed("", names.DefaultMesh)}, `{"spec":{"mode":"Apply"}}`))
	must(t, cluster.MeshReady(t.Context(), names.DefaultMesh, installLimit))
	step("the Mesh is ready")
	createPod(t, shopNamespace, fresh)
	must(t, cluster.PodsReady(t.Context(), podLimit, shopNamespace))
	current := startLoad(t, fresh)
	awaitOutdated(t, bareSidecars)
	step("only bare pods have sidecars of OSM")
	must(t, cluster.Available(t.Context(), podLimit, members()...))
	old.stop()
	current.stop()
	for _, name := range []string{archive, keeper} {
		must(t, cluster.Client.Delete(t.Context(), &corev1.Pod{ObjectMeta: objectNamed(shopNamespace, name)}))
		eventually(t, "the pod "+name+" is gone", func(ctx context.Context) (bool, string, error) {
			err := cluster.Client.Get(ctx, client.ObjectKey{Namespace: shopNamespace, Name: name}, &corev1.Pod{})
			return client.IgnoreNotFound(err) == nil && err != nil, "it exists", client.IgnoreNotFound(err)
		})
		recreatePod(t, name)
	}
	must(t, cluster.PodsReady(t.Context(), podLimit, shopNamespace))
	awaitOutdated(t, 0)
	requireTraffic(t, keeper)
}

// stepper returns a function that logs the time since its last call.
func stepper(t *testing.T) func(string) {
	last := time.Now()
	return func(done string) {
		t.Helper()
		t.Logf("%s after %s", done, time.Since(last).Round(time.Second))
		last = time.Now()
	}
}

// recreatePod creates a bare pod whose account and Service exist.
func recreatePod(t *testing.T, name string) {
	t.Helper()
	_, pod := cluster.TestPod(shopNamespace, name)
	must(t, cluster.Create(t.Context(), pod))
}

// awaitOutdated waits until a number of sidecars is left that are not those of the Mesh.
func awaitOutdated(t *testing.T, want int32) {
	t.Helper()
	must(t, lab.Until(t.Context(), podLimit, fmt.Sprintf("%d sidecars are outdated", want), func(ctx context.Context) (bool, string, error) {
		var mesh v1alpha1.Mesh
		if err := cluster.Client.Get(ctx, client.ObjectKey{Name: names.DefaultMesh}, &mesh); err != nil {
			return false, "", err
		}
		p := mesh.Status.Proxies
		return p != nil && p.Outdated == want, fmt.Sprintf("%+v; %s", p, lab.Conditions(mesh.Status.Conditions)), nil
	}))
}
