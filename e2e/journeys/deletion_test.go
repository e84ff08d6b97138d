package journeys

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/report"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// A second mesh is isolated from the first one, and its removal leaves only its namespace.
func TestSecondMeshIsIsolatedAndFullyRemoved(t *testing.T) {
	t.Parallel()
	s := sharedFixture(t)
	mesh := uniqueName("second")
	manifest := meshManifest(mesh, fmt.Sprintf("{namespace: %s, controlPlane: {controller: {replicas: 1}, injector: {replicas: 1}}, traffic: {permissive: true}}", mesh))
	applyPolicies(t, manifest)
	t.Cleanup(func() {
		_ = cluster.Remove(context.Background(), manifest)
		_ = cluster.DeleteNamespace(context.Background(), mesh)
	})
	lab.Must(t, cluster.MeshReady(t.Context(), mesh, installLimit))
	ns := createNamespace(t, "second-apps", mesh)
	// The API server reaches the new injector through kube-proxy, which may be slightly behind.
	lab.Eventually(t, policyLimit, "pods are injected", func(context.Context) (bool, string, error) {
		pod, err := dryRunPod(t, ns, "", nil)
		return err == nil && hasSidecar(pod), "no sidecar", err
	})
	workloads := createWorkloads(t, ns, "server", "client")

	t.Run("its workloads use its own settings", func(t *testing.T) {
		workloads["client"].expect(t, workloads["server"].url("/"), "200")
		s.stranger.expect(t, s.server.url("/"), report.Reset)
	})
	t.Run("workloads of the other mesh are denied", func(t *testing.T) {
		v6 := ipv6(t, workloads["server"].ips(t))
		s.friend.expect(t, "http://["+v6+"]:8080/", report.Reset)
		s.outsider.expect(t, workloads["server"].url("/"), report.Reset)
	})
	t.Run("deletion waits for sidecars and reports it", func(t *testing.T) {
		deletePolicies(t, manifest)
		lab.Eventually(t, 20*time.Second, "the Mesh reports the remaining sidecars", func(ctx context.Context) (bool, string, error) {
			var now v1alpha1.Mesh
			if err := cluster.Client.Get(ctx, client.ObjectKey{Name: mesh}, &now); err != nil {
				return false, "", err
			}
			ready := meta.FindStatusCondition(now.Status.Conditions, v1alpha1.ConditionReady)
			return ready != nil && ready.Reason == v1alpha1.ReasonWaitingForSidecars && strings.Contains(ready.Message, "2 pods have a sidecar"),
				lab.Conditions(now.Status.Conditions), nil
		})
		workloads["client"].expect(t, workloads["server"].url("/"), "200")
	})
	t.Run("deletion leaves only the namespace", func(t *testing.T) {
		lab.Must(t, cluster.Client.DeleteAllOf(t.Context(), &corev1.Pod{}, client.InNamespace(ns)))
		awaitMeshGone(t, mesh, 90*time.Second)
		lab.Eventually(t, time.Minute, "everything of the mesh but its namespace is gone", func(ctx context.Context) (bool, string, error) {
			remaining, err := remainingObjects(ctx, mesh)
			return len(remaining) == 1 && remaining[0] == "Namespace /"+mesh, strings.Join(remaining, ", "), err
		})
		var namespace corev1.Namespace
		lab.Must(t, cluster.Client.Get(t.Context(), client.ObjectKey{Name: mesh}, &namespace))
		if namespace.DeletionTimestamp != nil {
			t.Error("the namespace is being deleted, which nobody requested")
		}
	})
	lab.Must(t, cluster.MeshReady(t.Context(), names.DefaultMesh, 10*time.Second))
	s.friend.expect(t, s.server.url("/books"), "200")
}

// remainingObjects lists the objects with the label of a mesh, or with its name for kinds without the label.
func remainingObjects(ctx context.Context, mesh string) ([]string, error) {
	var remaining []string
	for _, kind := range meshKinds() {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
		if err := cluster.Client.List(ctx, list); err != nil {
			return nil, err
		}
		for _, item := range list.Items {
			if item.Labels[names.MeshLabel] == mesh || item.Name == names.MutatingWebhook(mesh) || item.Name == names.ValidatingWebhook(mesh) || item.Name == names.TrustConfigMap(mesh) {
				remaining = append(remaining, fmt.Sprintf("%s %s/%s", kind.Kind, item.Namespace, item.Name))
			}
		}
	}
	return remaining, nil
}
