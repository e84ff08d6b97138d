package webhook

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// testObjects is a cluster that holds the given objects, all of them seen already.
func testObjects(t *testing.T, objects ...client.Object) (*Objects, client.Client) {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, configv1alpha2.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build()
	return &Objects{Mesh: "osm", MeshNamespace: "osm-system", Cached: c, Live: c, Writer: c}, c
}

func trust(namespace, root string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "osm-trust-osm", Namespace: namespace, Labels: map[string]string{"operator.openservicemesh.io/mesh": "osm"}},
		Data:       map[string]string{"ca.crt": root},
	}
}

func TestEnsureTrust_CopiesRoot(t *testing.T) {
	objects, c := testObjects(t, trust("osm-system", "root"))
	for range 2 {
		if err := objects.EnsureTrust(context.Background(), "shop"); err != nil {
			t.Fatal(err)
		}
	}
	got := &corev1.ConfigMap{}
	if err := c.Get(context.Background(), client.ObjectKey{Namespace: "shop", Name: "osm-trust-osm"}, got); err != nil {
		t.Fatal(err)
	}
	want := trust("shop", "root")
	if diff := cmp.Diff(want.Data, got.Data); diff != "" {
		t.Errorf("the copy differs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want.Labels, got.Labels); diff != "" {
		t.Errorf("labels differ (-want +got):\n%s", diff)
	}
}

// TestEnsureTrust_KeepsExistingConfigMap covers a namespace that just got another root from the operator.
func TestEnsureTrust_KeepsExistingConfigMap(t *testing.T) {
	objects, c := testObjects(t, trust("osm-system", "new root"), trust("shop", "old root"))
	// The cache does not contain the namespace's own ConfigMap yet.
	objects.Cached = fake.NewClientBuilder().WithScheme(c.Scheme()).WithObjects(trust("osm-system", "new root")).Build()
	if err := objects.EnsureTrust(context.Background(), "shop"); err != nil {
		t.Fatal(err)
	}
	got := &corev1.ConfigMap{}
	if err := c.Get(context.Background(), client.ObjectKey{Namespace: "shop", Name: "osm-trust-osm"}, got); err != nil {
		t.Fatal(err)
	}
	if got.Data["ca.crt"] != "old root" {
		t.Errorf("trust is %q, want the old root: only the operator updates it", got.Data["ca.crt"])
	}
}

func TestEnsureTrust_FailsWithoutRoot(t *testing.T) {
	objects, _ := testObjects(t)
	err := objects.EnsureTrust(context.Background(), "shop")
	if err == nil || !strings.Contains(err.Error(), "the operator writes it to the ConfigMap osm-system/osm-trust-osm") {
		t.Errorf("error is %v, want one that names the missing ConfigMap", err)
	}
}

func TestNamespaceAndSettings(t *testing.T) {
	objects, _ := testObjects(t,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: map[string]string{"a": "b"}, Annotations: map[string]string{"c": "d"}}},
		&configv1alpha2.MeshConfig{
			ObjectMeta: metav1.ObjectMeta{Name: "osm-mesh-config", Namespace: "osm-system"},
			Spec:       configv1alpha2.MeshConfigSpec{Sidecar: configv1alpha2.SidecarSpec{LogLevel: "debug"}},
		},
	)
	ns, err := objects.Namespace(context.Background(), "shop", true)
	if err != nil || ns.Name != "shop" || ns.Labels["a"] != "b" || ns.Annotations["c"] != "d" {
		t.Errorf("namespace is %+v, %v", ns, err)
	}
	if ns, err := objects.Namespace(context.Background(), "gone", false); err != nil || ns.Labels != nil {
		t.Errorf("a missing namespace is %+v, %v, want one without labels", ns, err)
	}
	settings, err := objects.Settings(context.Background())
	if err != nil || settings.Sidecar.LogLevel != "debug" {
		t.Errorf("settings are %+v, %v", settings, err)
	}
	if old, err := objects.HasOldKubelets(context.Background()); err != nil || old {
		t.Errorf("old kubelets: %t, %v", old, err)
	}
	annotated, _ := testObjects(t, &configv1alpha2.MeshConfig{ObjectMeta: metav1.ObjectMeta{
		Name: "osm-mesh-config", Namespace: "osm-system", Annotations: map[string]string{names.OldKubeletsAnnotation: "pool-1 (v1.31.2)"},
	}})
	if old, err := annotated.HasOldKubelets(context.Background()); err != nil || !old {
		t.Errorf("with the annotation, old kubelets: %t, %v", old, err)
	}
	empty, _ := testObjects(t)
	if _, err := empty.Settings(context.Background()); err != nil {
		t.Errorf("without a MeshConfig: %v, want the defaults", err)
	}
}
