package jaeger_test

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/testing/envtest"
)

// TestAPIServerAcceptsManagedObjects creates the objects with strict validation. The pods comply with the restricted Pod Security Standard.
func TestAPIServerAcceptsManagedObjects(t *testing.T) {
	c, err := client.New(envtest.Start(t), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for namespace, settings := range map[string]*v1alpha1.ManagedJaeger{"memory": nil, "stored": &stored} {
		restricted := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}}}
		if err := c.Create(t.Context(), restricted); err != nil {
			t.Fatal(err)
		}
		m := mesh(settings)
		m.Spec.Namespace = &namespace
		for _, object := range render(t, m) {
			if err := client.WithFieldValidation(c, metav1.FieldValidationStrict).Create(t.Context(), object); err != nil {
				t.Errorf("%s %s: %v", object.GetKind(), object.GetName(), err)
			}
			if object.GetKind() == "Deployment" {
				requireAdmittedPod(t, c, namespace, object.Object)
			}
		}
	}
}

// requireAdmittedPod creates a pod from the template of a Deployment.
func requireAdmittedPod(t *testing.T, c client.Client, namespace string, deployment map[string]any) {
	t.Helper()
	var typed appsv1.Deployment
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(deployment, &typed); err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "jaeger-0"}, Spec: typed.Spec.Template.Spec}
	if err := c.Create(t.Context(), pod, client.DryRunAll); err != nil {
		t.Error(err)
	}
}
