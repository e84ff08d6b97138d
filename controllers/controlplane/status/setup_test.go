package status

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

func TestInMesh_ExcludesOtherAndDeletedNamespaces(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	now := metav1.Now()
	namespace := func(name string, labels map[string]string) *corev1.Namespace {
		return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
	}
	going := namespace("going", map[string]string{names.MonitoredByLabel: "osm"})
	going.DeletionTimestamp, going.Finalizers = &now, []string{"kubernetes"}
	reader := fake.NewClientBuilder().WithScheme(scheme).WithObjects(
		namespace("in", map[string]string{names.MonitoredByLabel: "osm"}),
		namespace("other", map[string]string{names.MonitoredByLabel: "other"}),
		namespace("ignored", map[string]string{names.MonitoredByLabel: "osm", names.IgnoreLabel: ""}),
		going).Build()
	for name, want := range map[string]bool{"in": true, "other": false, "ignored": false, "going": false, "none": false} {
		got, err := inMesh(reader, "osm")(t.Context(), name)
		if err != nil || got != want {
			t.Errorf("namespace %s: %t %v, want %t", name, got, err, want)
		}
	}
}
