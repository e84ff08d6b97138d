package takeover

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// replacement is the Mesh that replaces OSM, in the mode that docs/migration.md starts with. Nothing restarts before the test says so.
const replacement = `{apiVersion: operator.openservicemesh.io/v1alpha1, kind: Mesh, metadata: {name: osm}, spec: {namespace: osm-system, mode: Plan,
%s controlPlane: {controller: {replicas: 1}, injector: {replicas: 1}}, upgrade: {dataPlane: {restart: Manual, maxUnavailable: 100%%, pauseBetween: 0s}}}}`

// bridge lets the Mesh serve sidecars of OSM.
const bridge = "adoption: {bridge: {duration: 72h}},"

// bareSidecars is the number of sidecars that the operator does not restart.
const bareSidecars = 2

// TestOSMIsReplaced follows docs/migration.md with the real OSM under load. Callers that are older than a restarted workload lose requests.
func TestOSMIsReplaced(t *testing.T) {
	lab.RequireFull(t)
	replaceOSM(t, "")
}

// maxFailedShare is the share of requests that may fail while OSM is replaced with the bridge, and maxRefusedShare that of short connections of TCP.
// docs/migration.md has which fail; none should.
const maxFailedShare, maxRefusedShare = 0.02, 0.1

// TestBridgeServesSidecarsOfOSM replaces OSM by a Mesh that serves OSM's sidecars until they are gone. No long connection may break.
func TestBridgeServesSidecarsOfOSM(t *testing.T) {
	lab.RequireFull(t)
	for from, o := range replaceOSM(t, bridge) {
		if float64(o.failed) > maxFailedShare*float64(o.requests) || float64(o.refused) > maxRefusedShare*float64(o.connections) || len(o.broken) > 0 {
			t.Errorf("%d of %d requests and %d connections failed, and these long connections broke: %v; %s", o.failed, o.requests, o.refused, o.broken, from)
		}
	}
}

// replaceOSM installs OSM with applications, and replaces it by a Mesh with further settings. It returns the outcomes of the load by their pods: one has
// OSM's sidecar, the other that of the Mesh, and both call workloads that change from one to the other.
func replaceOSM(t *testing.T, settings string) map[string]outcome {
	t.Helper()
	lab.Must(t, clean(t.Context()))
	deployApplications(t)
	installOSM(t)
	onboard(t)
	requireTraffic(t, caller)

	t.Cleanup(func() {
		if t.Failed() {
			t.Log(cluster.ControlPlaneLogs(context.Background(), osmNamespace))
		}
	})
	old := startLoad(t, caller)
	step := stepper(t)
	lab.Must(t, uninstallOSM(t.Context()))
	step("OSM is removed")
	lab.Must(t, cluster.InstallOperator(t.Context(), installLimit))
	step("the operator runs")
	lab.Must(t, cluster.Put(t.Context(), fmt.Sprintf(replacement, settings)))
	kubectl(t, "wait", "mesh", names.DefaultMesh, "--for=condition=Planned", "--timeout=2m")
	patchMesh(t, `{"spec":{"mode":"Apply"}}`)
	lab.Must(t, cluster.MeshReady(t.Context(), names.DefaultMesh, installLimit))
	step("the Mesh is ready")
	if settings == bridge {
		awaitConnected(t, caller, archive)
		step("the sidecars of OSM are connected to the Mesh")
	}
	createPod(t, shopNamespace, fresh)
	lab.Must(t, cluster.PodsReady(t.Context(), podLimit, shopNamespace))
	awaitReachable(t, fresh)
	current := startLoad(t, fresh)
	step("a new caller sends load")
	old.log("until everything restarts")
	old.logFailures()
	patchMesh(t, `{"spec":{"upgrade":{"dataPlane":{"restart":null}}}}`)
	awaitOutdated(t, bareSidecars)
	lab.Must(t, cluster.Available(t.Context(), podLimit, members()...))
	step("only bare pods have sidecars of OSM")
	if isLong() {
		old.awaitRequests(longLoad)
	}
	old.logFailures()
	outcomes := map[string]outcome{caller: old.stop(), fresh: current.stop()}
	for _, name := range []string{archive, caller} {
		replacePod(t, name)
	}
	lab.Must(t, cluster.PodsReady(t.Context(), podLimit, shopNamespace))
	awaitOutdated(t, 0)
	requireTraffic(t, caller)
	return outcomes
}

// patchMesh changes the Mesh.
func patchMesh(t *testing.T, patch string) {
	t.Helper()
	lab.Must(t, cluster.Patch(t.Context(), &v1alpha1.Mesh{ObjectMeta: objectNamed("", names.DefaultMesh)}, patch))
}

// awaitConnected waits until the sidecars of pods have a stream to a control plane.
func awaitConnected(t *testing.T, pods ...string) {
	t.Helper()
	for _, pod := range pods {
		eventually(t, "the sidecar of "+pod+" is connected", func(ctx context.Context) (bool, string, error) {
			text, err := cluster.Admin(ctx, shopNamespace, pod, "/stats?filter=control_plane.connected_state")
			return strings.TrimSpace(text) == "control_plane.connected_state: 1", text, err
		})
	}
}

// awaitReachable waits until a pod reaches the servers of the load.
func awaitReachable(t *testing.T, from string) {
	t.Helper()
	client := agent(t, shopNamespace, from)
	_, err := client.AwaitOutcome(t.Context(), effectLimit, url(shopNamespace, store, "/books"), "200")
	lab.Must(t, err)
	for _, app := range []string{ledger, archive} {
		eventually(t, "connections to "+app+" succeed", func(ctx context.Context) (bool, string, error) {
			result, err := client.Session(ctx, echoAddress(app))
			if err != nil {
				return false, "", err
			}
			return result.Failure == "", result.Error, nil
		})
	}
}

// replacePod deletes a bare pod and creates it again.
func replacePod(t *testing.T, name string) {
	t.Helper()
	lab.Must(t, cluster.Client.Delete(t.Context(), &corev1.Pod{ObjectMeta: objectNamed(shopNamespace, name)}))
	eventually(t, "the pod "+name+" is gone", func(ctx context.Context) (bool, string, error) {
		err := cluster.Client.Get(ctx, client.ObjectKey{Namespace: shopNamespace, Name: name}, &corev1.Pod{})
		return client.IgnoreNotFound(err) == nil && err != nil, "it exists", client.IgnoreNotFound(err)
	})
	_, pod := cluster.TestPod(shopNamespace, name)
	lab.Must(t, cluster.Create(t.Context(), pod))
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

// awaitOutdated waits until a number of sidecars is left that are not those of the Mesh.
func awaitOutdated(t *testing.T, want int32) {
	t.Helper()
	lab.Eventually(t, podLimit, fmt.Sprintf("%d sidecars are outdated", want), func(ctx context.Context) (bool, string, error) {
		var mesh v1alpha1.Mesh
		if err := cluster.Client.Get(ctx, client.ObjectKey{Name: names.DefaultMesh}, &mesh); err != nil {
			return false, "", err
		}
		p := mesh.Status.Proxies
		return p != nil && p.Outdated == want, fmt.Sprintf("%+v; %s", p, lab.Conditions(mesh.Status.Conditions)), nil
	})
}
