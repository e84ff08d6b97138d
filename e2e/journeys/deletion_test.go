package journeys

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/report"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// A second mesh lives beside the first one, refuses its workloads, and is removed without a trace.
func TestASecondMeshLivesAloneAndIsRemovedWithoutATrace(t *testing.T) {
	t.Parallel()
	s := theStage(t)
	mesh := uniqueName("second")
	manifest := meshManifest(mesh, fmt.Sprintf("{namespace: %s, controlPlane: {replicas: 1}, traffic: {permissive: true}}", mesh))
	put(t, manifest)
	t.Cleanup(func() { _ = cluster.Remove(context.Background(), manifest) })
	must(t, cluster.MeshReady(t.Context(), mesh, installLimit))
	ns := namespace(t, "second-apps", mesh)
	// kube-proxy may be a moment behind: the API server reaches the new injector through it.
	eventually(t, policyLimit, "pods are injected", func(context.Context) (bool, string, error) {
		pod, err := try(t, ns, "", nil)
		return err == nil && hasSidecar(pod), "no sidecar", err
	})
	people := pods(t, ns, "server", "client")

	t.Run("its workloads talk by its own settings", func(t *testing.T) {
		people["client"].gets(t, people["server"].url("/"), "200")
		s.stranger.gets(t, s.server.url("/"), report.Refused)
	})
	t.Run("the other mesh's workloads are strangers", func(t *testing.T) {
		_, v6 := people["server"].ips(t)
		s.friend.gets(t, "http://["+v6+"]:8080/", report.Reset)
		s.outsider.gets(t, people["server"].url("/"), report.Reset)
	})
	t.Run("deletion waits for sidecars and says so", func(t *testing.T) {
		remove(t, manifest)
		eventually(t, 20*time.Second, "the Mesh says which sidecars are left", func(ctx context.Context) (bool, string, error) {
			var now v1alpha1.Mesh
			if err := cluster.Client.Get(ctx, client.ObjectKey{Name: mesh}, &now); err != nil {
				return false, "", err
			}
			ready := meta.FindStatusCondition(now.Status.Conditions, v1alpha1.ConditionReady)
			return ready != nil && ready.Reason == v1alpha1.ReasonWaitingForSidecars && strings.Contains(ready.Message, "2 pods have a sidecar"),
				lab.Conditions(now.Status.Conditions), nil
		})
		people["client"].gets(t, people["server"].url("/"), "200")
	})
	t.Run("and leaves nothing", func(t *testing.T) {
		must(t, cluster.Client.DeleteAllOf(t.Context(), &corev1.Pod{}, client.InNamespace(ns)))
		meshGone(t, mesh, 90*time.Second)
		eventually(t, time.Minute, "everything of the mesh is gone", func(ctx context.Context) (bool, string, error) {
			left, err := leftOf(ctx, mesh)
			return len(left) == 0, strings.Join(left, ", "), err
		})
		var home corev1.Namespace
		eventually(t, time.Minute, "the namespace of the mesh is gone", func(ctx context.Context) (bool, string, error) {
			err := cluster.Client.Get(ctx, client.ObjectKey{Name: mesh}, &home)
			return apierrors.IsNotFound(err), string(home.Status.Phase), client.IgnoreNotFound(err)
		})
	})
	must(t, cluster.MeshReady(t.Context(), names.DefaultMesh, 10*time.Second))
	s.friend.gets(t, s.server.url("/books"), "200")
}

// leftOf lists what still carries the label of a mesh or its name where only names are known.
func leftOf(ctx context.Context, mesh string) ([]string, error) {
	var left []string
	for _, kind := range meshKinds() {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
		if err := cluster.Client.List(ctx, list); err != nil {
			return nil, err
		}
		for _, item := range list.Items {
			if item.Labels[names.MeshLabel] == mesh || item.Name == names.MutatingWebhook(mesh) || item.Name == names.ValidatingWebhook(mesh) || item.Name == names.TrustConfigMap(mesh) {
				left = append(left, fmt.Sprintf("%s %s/%s", kind.Kind, item.Namespace, item.Name))
			}
		}
	}
	return left, nil
}
