package jaeger_test

import (
	"bytes"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/component/jaeger"
	"github.com/openservicemesh/osm-operator/internal/testing/golden"
)

func mesh(managed *v1alpha1.ManagedJaeger) *v1alpha1.Mesh {
	return &v1alpha1.Mesh{
		ObjectMeta: metav1.ObjectMeta{Name: "osm"},
		Spec: v1alpha1.MeshSpec{Observability: &v1alpha1.ObservabilitySpec{Jaeger: &v1alpha1.JaegerComponent{
			Mode: ptr.To(v1alpha1.JaegerManaged), Managed: managed,
		}}},
	}
}

var stored = v1alpha1.ManagedJaeger{
	Image:            ptr.To("example/jaeger:2"),
	StorageSecretRef: &v1alpha1.SecretKeyReference{Name: "jaeger-storage", Key: "elasticsearch.yaml"},
	Resources:        &corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")}},
}

func render(t *testing.T, mesh *v1alpha1.Mesh) []*unstructured.Unstructured {
	t.Helper()
	objects, err := jaeger.Managed{}.Render(component.Inputs{Mesh: mesh})
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func TestGolden(t *testing.T) {
	for name, settings := range map[string]*v1alpha1.ManagedJaeger{"memory": {MaxTraces: ptr.To[int32](500)}, "defaults": nil, "stored": &stored} {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			for _, object := range render(t, mesh(settings)) {
				text, err := yaml.Marshal(object.Object)
				if err != nil {
					t.Fatal(err)
				}
				got.WriteString("---\n")
				got.Write(text)
			}
			path := "testdata/" + name + ".yaml"
			golden.Compare(t, path, got.Bytes())
		})
	}
}

// TestDefaultAddressOfTraces verifies that a MeshConfig with tracing and nothing else reaches the Service.
func TestDefaultAddressOfTraces(t *testing.T) {
	config := &configv1alpha2.MeshConfig{ObjectMeta: metav1.ObjectMeta{Namespace: "osm-system"}}
	config.Spec.Observability.Tracing.Enable = true
	settings, problems := ingest.MeshConfig(config)
	if settings.Tracing == nil {
		t.Fatalf("no server: %v", problems)
	}
	for _, object := range render(t, mesh(nil)) {
		if object.GetKind() != "Service" {
			continue
		}
		if want := object.GetName() + "." + object.GetNamespace() + ".svc.cluster.local"; settings.Tracing.Address != want {
			t.Errorf("traces go to %s, want %s", settings.Tracing.Address, want)
		}
		ports, _, _ := unstructured.NestedSlice(object.Object, "spec", "ports")
		for _, p := range ports {
			if p.(map[string]any)["port"] == int64(settings.Tracing.Port) {
				return
			}
		}
		t.Errorf("the Service has the ports %v, want %d", ports, settings.Tracing.Port)
	}
}

func TestHealth(t *testing.T) {
	running := map[string]any{"observedGeneration": int64(0), "availableReplicas": int64(1)}
	for name, test := range map[string]struct {
		settings *v1alpha1.ManagedJaeger
		status   map[string]any
		message  string
	}{
		"it runs":                   {nil, running, ""},
		"it runs with a storage":    {&stored, running, ""},
		"it does not run":           {nil, nil, "the Deployment osm-system/jaeger has no ready pod"},
		"its storage may not exist": {&stored, nil, "it starts only if the Secret jaeger-storage has the key elasticsearch.yaml"},
	} {
		objects := render(t, mesh(test.settings))
		for _, object := range objects {
			if object.GetKind() == "Deployment" {
				object.Object["status"] = test.status
			}
		}
		health := jaeger.Managed{}.Health(objects)
		if health.Ready != (test.message == "") || !strings.Contains(health.Message, test.message) {
			t.Errorf("%s: %+v, want %q", name, health, test.message)
		}
	}
	if health := (jaeger.Managed{}).Health(nil); health.Ready || !strings.Contains(health.Message, "does not exist") {
		t.Errorf("without objects: %+v", health)
	}
}

func TestEnabled(t *testing.T) {
	if (jaeger.Managed{}).Enabled(&v1alpha1.Mesh{}) || !(jaeger.Managed{}).Enabled(mesh(nil)) {
		t.Error("a Jaeger runs in mode Managed only")
	}
}
