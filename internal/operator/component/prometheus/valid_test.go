package prometheus_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/component/prometheus"
	"github.com/openservicemesh/osm-operator/internal/testing/envtest"
)

// TestAPIServerAcceptsManagedObjects creates the objects with strict validation, and a claim for storage.
func TestAPIServerAcceptsManagedObjects(t *testing.T) {
	config := envtest.Start(t)
	c, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"osm-system", "shop", "osm-operator-system"} {
		if err := c.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
			t.Fatal(err)
		}
	}
	inputs := component.Inputs{ControlPlanes: controlPlanes, OperatorAuthorities: "authorities", Members: []string{"shop"}, Mesh: mesh(v1alpha1.PrometheusComponent{Managed: &v1alpha1.ManagedPrometheus{
		Storage: ptr.To(resource.MustParse("1Gi")),
	}})}
	objects, err := prometheus.Managed{}.Render(inputs)
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range objects {
		if err := client.WithFieldValidation(c, metav1.FieldValidationStrict).Create(t.Context(), object); err != nil {
			t.Errorf("%s %s: %v", object.GetKind(), object.GetName(), err)
		}
	}
}
