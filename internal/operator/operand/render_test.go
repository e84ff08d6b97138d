package operand

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

func testImages() Images {
	return Images{
		Controller: "registry.example/osm-controller:v0.1.0",
		Injector:   "registry.example/osm-injector:v0.1.0",
		Init:       "registry.example/init:v0.1.0",
		Sidecar:    "registry.example/envoy:v0.1.0",
	}
}

func testParameters() Parameters {
	return Parameters{
		Mesh: "osm", Namespace: "osm-system", OperatorNamespace: "osm-operator-system", Revision: "osm-v0-1-0",
		TrustDomain: "cluster.local", Controller: Workload{Replicas: 2}, Injector: Workload{Replicas: 2}, Images: testImages(),
	}
}

func testRelease(t *testing.T) *Release {
	t.Helper()
	catalogue, err := NewCatalogue("v0.1.0", testImages())
	if err != nil {
		t.Fatal(err)
	}
	release, err := catalogue.Release("v0.1.0")
	if err != nil {
		t.Fatal(err)
	}
	return release
}

// renderAll renders all objects of a mesh.
func renderAll(t *testing.T, release *Release, p Parameters) []*unstructured.Unstructured {
	t.Helper()
	services, err := release.Services(p)
	if err != nil {
		t.Fatal(err)
	}
	controlPlane, err := release.ControlPlane(p)
	if err != nil {
		t.Fatal(err)
	}
	budgets, err := release.DisruptionBudgets(p)
	if err != nil {
		t.Fatal(err)
	}
	scalers, err := release.Autoscalers(p)
	if err != nil {
		t.Fatal(err)
	}
	controlPlane = append(append(controlPlane, budgets...), scalers...)
	webhooks, err := release.Webhooks(p, []byte("injector bundle"), []byte("validator bundle"))
	if err != nil {
		t.Fatal(err)
	}
	return append(append(services, controlPlane...), webhooks...)
}

func TestRenderGolden(t *testing.T) {
	custom := testParameters()
	custom.Mesh, custom.Namespace, custom.Revision = "east", "east-system", "east-v0-1-0"
	custom.TrustDomain, custom.LogLevel = "east.example", "debug"
	custom.KeyAlgorithm, custom.KeySize = "RSA", 3072
	custom.DrainTimeout = 10 * time.Minute
	custom.BridgeUntil = time.Date(2026, 12, 1, 6, 0, 0, 0, time.UTC)
	custom.WebhookClientCA = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"
	resources := &corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("0.5")},
		Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1024Mi")},
	}
	custom.Controller = Workload{Replicas: 1, Resources: resources}
	custom.Injector = custom.Controller
	for name, parameters := range map[string]Parameters{"default": testParameters(), "custom": custom, "scaled": scaledParameters()} {
		t.Run(name, func(t *testing.T) {
			var text bytes.Buffer
			for _, object := range renderAll(t, testRelease(t), parameters) {
				document, err := yaml.Marshal(object.Object)
				if err != nil {
					t.Fatal(err)
				}
				text.WriteString("---\n")
				text.Write(document)
			}
			golden := filepath.Join("testdata", name+".yaml")
			if *update {
				if err := os.WriteFile(golden, text.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), text.String()); diff != "" {
				t.Errorf("rendered objects differ from %s (-want +got), run with -update to accept the change:\n%s", golden, diff)
			}
		})
	}
}

// The API server would reject an unknown field when a user installs a mesh.
func TestRender_UsesOnlyKnownFields(t *testing.T) {
	decoder := serializer.NewCodecFactory(clientscheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	for _, object := range renderAll(t, testRelease(t), testParameters()) {
		text, err := object.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := decoder.Decode(text, nil, nil); err != nil {
			t.Errorf("%s %s: %v", object.GetKind(), object.GetName(), err)
		}
	}
}

func TestRender_NamesAreCompatible(t *testing.T) {
	parameters := testParameters()
	parameters.Mesh = "east"
	got := map[string]bool{}
	for _, object := range renderAll(t, testRelease(t), parameters) {
		got[object.GetKind()+" "+object.GetName()] = true
		if clusterScoped[object.GetKind()] && !strings.HasSuffix(object.GetName(), "-east") {
			t.Errorf("%s %s does not have the mesh in its name, so a second mesh would overwrite it", object.GetKind(), object.GetName())
		}
	}
	for _, want := range []string{
		"Deployment " + names.Controller, "Deployment " + names.Injector,
		"Service " + names.Controller, "Service " + names.Injector, "Service " + names.Validator,
		"MutatingWebhookConfiguration " + names.MutatingWebhook("east"),
		"ValidatingWebhookConfiguration " + names.ValidatingWebhook("east"),
		"ClusterRole osm-controller-east", "ClusterRole osm-injector-east",
	} {
		if !got[want] {
			t.Errorf("%s is not rendered", want)
		}
	}
}

func TestPodsAreHardened(t *testing.T) {
	for _, object := range renderAll(t, testRelease(t), testParameters()) {
		if object.GetKind() != "Deployment" {
			continue
		}
		var d appsv1.Deployment
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &d); err != nil {
			t.Fatal(err)
		}
		pod := d.Spec.Template.Spec
		if pod.SecurityContext == nil || !*pod.SecurityContext.RunAsNonRoot || pod.SecurityContext.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
			t.Errorf("%s: the pod must run as non-root with the seccomp profile RuntimeDefault", d.Name)
		}
		for _, c := range pod.Containers {
			s := c.SecurityContext
			if s == nil || *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem || !cmp.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) {
				t.Errorf("%s/%s: the container must be read-only, without capabilities and escalation", d.Name, c.Name)
			}
			if c.ReadinessProbe == nil || c.LivenessProbe == nil {
				t.Errorf("%s/%s: probes are missing", d.Name, c.Name)
			}
		}
	}
}

// Selectors of Deployments are immutable, so they must not contain values that differ between versions or meshes.
func TestSelectorsAreConstant(t *testing.T) {
	parameters := testParameters()
	parameters.Mesh, parameters.Revision = "east", "east-v0-2-0"
	for _, object := range renderAll(t, testRelease(t), parameters) {
		if object.GetKind() != "Deployment" {
			continue
		}
		got, _, err := unstructured.NestedStringMap(object.Object, "spec", "selector", "matchLabels")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]string{names.AppLabel: object.GetName()}, got); diff != "" {
			t.Errorf("selector of %s (-want +got):\n%s", object.GetName(), diff)
		}
	}
}

func TestRender_ListsMissingParameters(t *testing.T) {
	parameters := testParameters()
	parameters.Mesh, parameters.Controller.Replicas, parameters.Images.Init = "", 0, ""
	_, err := testRelease(t).ControlPlane(parameters)
	if err == nil {
		t.Fatal("incomplete parameters were rendered")
	}
	for _, want := range []string{"mesh name is empty", "at least 1", "image of the init", "RELATED_IMAGE"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not contain %q: %v", want, err)
		}
	}
}

func TestRenderingDoesNotChangeTheManifests(t *testing.T) {
	release := testRelease(t)
	first := renderAll(t, release, testParameters())
	other := testParameters()
	other.Mesh, other.Namespace = "east", "east-system"
	renderAll(t, release, other)
	if diff := cmp.Diff(first, renderAll(t, release, testParameters())); diff != "" {
		t.Errorf("rendering another mesh changed this one (-before +after):\n%s", diff)
	}
}
