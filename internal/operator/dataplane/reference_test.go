package dataplane

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

// TestReferencesToWorkloads have what `kubectl describe` selects Events by.
func TestReferencesToWorkloads(t *testing.T) {
	meta := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: "shop", Name: name, UID: "uid of web"}
	}
	bare := pod("web", "old", "", "", func(p *corev1.Pod) { p.UID = "uid of web" })
	job := pod("etl-1", "old", "Job", "etl", func(p *corev1.Pod) {
		p.OwnerReferences[0].APIVersion, p.OwnerReferences[0].UID = "batch/v1", "uid of etl"
	})
	custom := pod("db-1", "old", "Cluster", "db", func(p *corev1.Pod) {
		p.OwnerReferences[0].APIVersion, p.OwnerReferences[0].UID = "postgresql.cnpg.io/v1", "uid of db"
	})
	argo := &unstructured.Unstructured{}
	argo.SetGroupVersionKind(rolloutKind)
	argo.SetNamespace("shop")
	argo.SetName("argo")
	argo.SetUID("uid of argo")
	plane := planeOf(&appsv1.Deployment{ObjectMeta: meta("web")}, argo, &bare, &job, &custom)
	for _, test := range []struct {
		kind, name, pod string
		want            corev1.ObjectReference
	}{
		{"Deployment", "web", "web-5c-a", corev1.ObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web", UID: "uid of web"}},
		{"Deployment", "gone", "", corev1.ObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "gone"}},
		{"Rollout.argoproj.io", "argo", "", corev1.ObjectReference{APIVersion: "argoproj.io/v1alpha1", Kind: "Rollout", Name: "argo", UID: "uid of argo"}},
		{"CloneSet.apps.kruise.io", "pool", "pool-a", corev1.ObjectReference{APIVersion: "apps.kruise.io/v1alpha1", Kind: "CloneSet", Name: "pool"}},
		{"Job", "etl", "etl-1", corev1.ObjectReference{APIVersion: "batch/v1", Kind: "Job", Name: "etl", UID: "uid of etl"}},
		{"Cluster.postgresql.cnpg.io", "db", "db-1", corev1.ObjectReference{APIVersion: "postgresql.cnpg.io/v1", Kind: "Cluster", Name: "db", UID: "uid of db"}},
		{"Pod", "web", "web", corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Name: "web", UID: "uid of web"}},
		{"Cluster.postgresql.cnpg.io", "db", "gone", corev1.ObjectReference{Kind: "Cluster", Name: "db"}},
	} {
		test.want.Namespace = "shop"
		got := plane.Reference(t.Context(), rollout.Ref{Kind: test.kind, Namespace: "shop", Name: test.name}, test.pod)
		if diff := cmp.Diff(&test.want, got); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", test.kind, test.name, diff)
		}
	}
}
