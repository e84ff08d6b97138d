package trafficmetrics_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/testing/envtest"
)

// TestAPIServerAcceptsObjects creates the objects with strict validation.
func TestAPIServerAcceptsObjects(t *testing.T) {
	c, err := client.New(envtest.Start(t), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, namespace := range []string{"osm-system", "shop"} {
		if err := c.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, object := range render(t, mesh(&changed, existing)) {
		if err := client.WithFieldValidation(c, metav1.FieldValidationStrict).Create(t.Context(), object); err != nil {
			t.Errorf("%s %s: %v", object.GetKind(), object.GetName(), err)
		}
	}
}
