package apply_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// ownedConfigMap is a ConfigMap as an earlier operator wrote it for a mesh, with another owner.
func ownedConfigMap(mesh string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: "trust", Labels: map[string]string{names.MeshLabel: mesh, names.InstanceLabel: mesh, "team": "shop"},
		OwnerReferences: []metav1.OwnerReference{
			{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Mesh", Name: mesh, UID: "1", Controller: ptr.To(true)},
			{APIVersion: "v1", Kind: "Namespace", Name: "shop", UID: "2"},
		},
	}}
}

func TestApplyRemovesTheMeshFromTheOwners(t *testing.T) {
	for name, annotations := range map[string]map[string]string{"": nil, "drift is ignored": {names.DriftAnnotation: names.DriftIgnore}} {
		live := ownedConfigMap("osm")
		live.Annotations = annotations
		c := fake.NewClientBuilder().WithScheme(scheme.Scheme).WithObjects(live).Build()
		desired := configMap("shop")
		desired.SetLabels(map[string]string{names.MeshLabel: "osm"})
		if _, _, err := apply.New(c, events.NewFakeRecorder(1)).ApplyWithoutEvents(t.Context(), desired); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(live), live); err != nil {
			t.Fatal(err)
		}
		if len(live.OwnerReferences) != 1 || live.OwnerReferences[0].Kind != "Namespace" {
			t.Errorf("%s: the owners are %v, want the namespace only", name, live.OwnerReferences)
		}
		if live.Labels[names.InstanceLabel] != "" || live.Labels["team"] != "shop" {
			t.Errorf("%s: the labels are %v, want those without the instance", name, live.Labels)
		}
	}
}

func TestApplyTakesNoObjectOfAnotherMesh(t *testing.T) {
	all := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(all); err != nil {
			t.Fatal(err)
		}
	}
	other := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "other"}}
	c := fake.NewClientBuilder().WithScheme(all).WithObjects(ownedConfigMap("other"), other).Build()
	desired := configMap("shop")
	desired.SetLabels(map[string]string{names.MeshLabel: "osm"})
	applier := apply.New(c, events.NewFakeRecorder(1))
	applier.Meshes = c
	_, _, err := applier.ApplyWithoutEvents(t.Context(), desired)
	for _, got := range []error{err, applier.ApplyUnconditionally(t.Context(), desired)} {
		if got == nil || !strings.Contains(got.Error(), "ConfigMap shop/trust cannot be applied: it belongs to the mesh other") {
			t.Errorf("the error is %v, want one that names the other mesh", got)
		}
	}
	live := ownedConfigMap("other")
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(live), live); err != nil || live.Labels[names.MeshLabel] != "other" || len(live.OwnerReferences) != 2 {
		t.Errorf("the object of the other mesh was changed: %+v (%v)", live.ObjectMeta, err)
	}

	// What remains of a mesh that does not exist is taken over.
	if err := c.Delete(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if _, _, err := applier.ApplyWithoutEvents(t.Context(), desired); err != nil {
		t.Error(err)
	}
}
