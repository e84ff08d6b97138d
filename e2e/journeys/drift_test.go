package journeys

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const repairLimit = 10 * time.Second

func testDriftRepair(t *testing.T) {
	key := client.ObjectKey{Namespace: names.DefaultNamespace, Name: names.Injector}
	t.Run("a deleted Service is recreated", func(t *testing.T) {
		var before corev1.Service
		lab.Must(t, cluster.Client.Get(t.Context(), key, &before))
		lab.Must(t, cluster.Client.Delete(t.Context(), &before))
		lab.Eventually(t, repairLimit, "the injector's Service exists again", func(ctx context.Context) (bool, string, error) {
			var now corev1.Service
			err := cluster.Client.Get(ctx, key, &now)
			return err == nil && now.UID != before.UID, "the old one", err
		})
	})
	t.Run("an edited image is reverted", func(t *testing.T) {
		var before appsv1.Deployment
		lab.Must(t, cluster.Client.Get(t.Context(), key, &before))
		image := before.Spec.Template.Spec.Containers[0].Image
		patch := fmt.Sprintf(`{"spec":{"template":{"spec":{"containers":[{"name":%q,"image":"example.com/other:v1"}]}}}}`, names.Injector)
		lab.Must(t, cluster.Client.Patch(t.Context(), &before, client.RawPatch("application/strategic-merge-patch+json", []byte(patch)), client.FieldOwner("somebody")))
		if edited := before.Spec.Template.Spec.Containers[0].Image; edited == image {
			t.Fatalf("the edit did nothing: the image is %s", edited)
		}
		lab.Eventually(t, repairLimit, "the image is "+image, func(ctx context.Context) (bool, string, error) {
			var now appsv1.Deployment
			err := cluster.Client.Get(ctx, key, &now)
			if err != nil {
				return false, "", err
			}
			return now.Spec.Template.Spec.Containers[0].Image == image, now.Spec.Template.Spec.Containers[0].Image, nil
		})
	})
	lab.Must(t, cluster.Available(t.Context(), installLimit, names.DefaultNamespace))
	lab.Must(t, cluster.MeshReady(t.Context(), names.DefaultMesh, time.Minute))
	t.Run("an idle mesh has no writes", testNoWritesWhenIdle)
}

// testNoWritesWhenIdle compares every object of the mesh over half a minute. The mesh may become idle slightly after
// Ready.
func testNoWritesWhenIdle(t *testing.T) {
	var before map[string]string
	lab.Eventually(t, time.Minute, "the mesh is idle", func(ctx context.Context) (bool, string, error) {
		now, err := resourceVersions(ctx)
		if err != nil {
			return false, "", err
		}
		idle := maps.Equal(before, now)
		observed := fmt.Sprint(changedObjects(before, now))
		before = now
		if idle {
			return true, "", nil
		}
		sleep(t, 2*time.Second)
		return false, observed, nil
	})
	if len(before) < 20 {
		t.Fatalf("only %d objects belong to the mesh: %v", len(before), slices.Sorted(maps.Keys(before)))
	}
	sleep(t, 30*time.Second)
	after, err := resourceVersions(t.Context())
	lab.Must(t, err)
	for _, change := range changedObjects(before, after) {
		t.Errorf("unexpected write: %s", change)
	}
	t.Logf("%d objects were unchanged", len(after))
}

// resourceVersions maps each object of the mesh to its resource version. Leases are excluded because they are renewed all the
// time.
func resourceVersions(ctx context.Context) (map[string]string, error) {
	result := map[string]string{}
	for _, kind := range meshKinds() {
		for _, options := range [][]client.ListOption{
			{client.MatchingLabels{names.MeshLabel: names.DefaultMesh}}, {client.InNamespace(names.DefaultNamespace)},
		} {
			list := &metav1.PartialObjectMetadataList{}
			list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
			if err := cluster.Client.List(ctx, list, options...); err != nil && !meta.IsNoMatchError(err) {
				return nil, err
			}
			for _, item := range list.Items {
				if item.DeletionTimestamp != nil {
					continue // somebody has deleted it before, and it ends
				}
				result[fmt.Sprintf("%s %s/%s", kind.Kind, item.Namespace, item.Name)] = item.ResourceVersion
			}
		}
	}
	return result, nil
}

// meshKinds are the kinds of objects of a mesh, including those that are written while it runs.
func meshKinds() []schema.GroupVersionKind {
	return []schema.GroupVersionKind{
		{Group: "operator.openservicemesh.io", Version: "v1alpha1", Kind: "Mesh"},
		{Group: "operator.openservicemesh.io", Version: "v1alpha1", Kind: "MeshRevision"},
		{Group: "config.openservicemesh.io", Version: "v1alpha2", Kind: "MeshConfig"},
		{Version: "v1", Kind: "Namespace"},
		{Version: "v1", Kind: "Service"},
		{Version: "v1", Kind: "ServiceAccount"},
		{Version: "v1", Kind: "ConfigMap"},
		{Version: "v1", Kind: "Secret"},
		{Version: "v1", Kind: "Pod"},
		{Group: "apps", Version: "v1", Kind: "Deployment"},
		{Group: "policy", Version: "v1", Kind: "PodDisruptionBudget"},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "Role"},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "RoleBinding"},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRole"},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRoleBinding"},
		{Group: "admissionregistration.k8s.io", Version: "v1", Kind: "MutatingWebhookConfiguration"},
		{Group: "admissionregistration.k8s.io", Version: "v1", Kind: "ValidatingWebhookConfiguration"},
		{Group: "access.smi-spec.io", Version: "v1alpha3", Kind: "TrafficTarget"},
		{Group: "specs.smi-spec.io", Version: "v1alpha4", Kind: "HTTPRouteGroup"},
		{Group: "split.smi-spec.io", Version: "v1alpha4", Kind: "TrafficSplit"},
	}
}

// changedObjects returns the objects that differ between two observations.
func changedObjects(before, after map[string]string) []string {
	var changes []string
	for name, version := range after {
		if before[name] != version {
			changes = append(changes, name)
		}
	}
	for name := range before {
		if _, exists := after[name]; !exists {
			changes = append(changes, name+" (deleted)")
		}
	}
	slices.Sort(changes)
	return changes
}
