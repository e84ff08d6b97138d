package prometheus_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/component/prometheus"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/testing/golden"
	"github.com/openservicemesh/osm-operator/internal/testing/promtest"
)

func mesh(settings v1alpha1.PrometheusComponent) *v1alpha1.Mesh {
	return &v1alpha1.Mesh{
		ObjectMeta: metav1.ObjectMeta{Name: "osm"},
		Spec:       v1alpha1.MeshSpec{Observability: &v1alpha1.ObservabilitySpec{Prometheus: &settings}},
	}
}

// controlPlanes are those of a mesh whose operator is in another namespace than the mesh.
var controlPlanes = []component.ControlPlane{{
	Release: &operand.Release{Version: "v0.2.0"}, Parameters: operand.Parameters{OperatorNamespace: "osm-operator-system"},
}}

// TestGolden compares the objects of each mode with testdata. Rules have their own tests, so a placeholder replaces them.
func TestGolden(t *testing.T) {
	stored := v1alpha1.ManagedPrometheus{
		Image: ptr.To("example/prometheus:v3"), Retention: ptr.To(v1alpha1.Duration("48h")),
		Storage: ptr.To(resource.MustParse("10Gi")), StorageClassName: ptr.To("fast"),
	}
	for name, test := range map[string]struct {
		component component.Component
		inputs    component.Inputs
	}{
		"managed":               {prometheus.Managed{}, component.Inputs{Mesh: mesh(v1alpha1.PrometheusComponent{}), Members: []string{"bank", "shop"}}},
		"managed-with-operator": {prometheus.Managed{}, component.Inputs{Mesh: mesh(v1alpha1.PrometheusComponent{}), ControlPlanes: controlPlanes, OperatorAuthorities: "authorities"}},
		"managed-no-members":    {prometheus.Managed{}, component.Inputs{Mesh: mesh(v1alpha1.PrometheusComponent{})}},
		"managed-stored":        {prometheus.Managed{}, component.Inputs{Mesh: mesh(v1alpha1.PrometheusComponent{Managed: &stored}), Members: []string{"shop"}}},
		"operator":              {prometheus.Monitors{}, component.Inputs{Mesh: mesh(v1alpha1.PrometheusComponent{}), ControlPlanes: controlPlanes, OperatorAuthorities: "authorities", Members: []string{"bank", "shop"}}},
	} {
		t.Run(name, func(t *testing.T) {
			objects, err := test.component.Render(test.inputs)
			if err != nil {
				t.Fatal(err)
			}
			got, path := textOf(t, objects), "testdata/"+name+".yaml"
			golden.Compare(t, path, got)
		})
	}
}

func textOf(t *testing.T, objects []*unstructured.Unstructured) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, object := range objects {
		object = object.DeepCopy()
		if data, found, _ := unstructured.NestedStringMap(object.Object, "data"); found {
			data["rules.yml"] = "the usual"
			_ = unstructured.SetNestedStringMap(object.Object, data, "data")
		}
		if object.GetKind() == "PrometheusRule" {
			object.Object["spec"] = "the usual"
		}
		text, err := yaml.Marshal(object.Object)
		if err != nil {
			t.Fatal(err)
		}
		out.WriteString("---\n")
		out.Write(text)
	}
	return out.Bytes()
}

// TestRolesAreInNamespacesOfTheMesh verifies that the server can read pods of the mesh and of the operator and its metrics, and nothing else.
func TestRolesAreInNamespacesOfTheMesh(t *testing.T) {
	objects, err := prometheus.Managed{}.Render(component.Inputs{Mesh: mesh(v1alpha1.PrometheusComponent{}), ControlPlanes: controlPlanes, OperatorAuthorities: "authorities", Members: []string{"osm-system", "shop"}})
	if err != nil {
		t.Fatal(err)
	}
	var roles []string
	for _, object := range objects {
		role, _, _ := unstructured.NestedString(object.Object, "roleRef", "name")
		if strings.HasPrefix(object.GetKind(), "ClusterRole") && role != "osm-operator-metrics-reader" {
			t.Errorf("%s %s applies to all namespaces", object.GetKind(), object.GetName())
		}
		if object.GetKind() == "Role" {
			roles = append(roles, object.GetNamespace())
		}
	}
	if want := []string{"osm-system", "shop", "osm-operator-system"}; !slices.Equal(roles, want) {
		t.Errorf("roles in %v, want %v", roles, want)
	}
}

// TestNewMembersRestartNoServer checks that a namespace that joins changes the configuration and not the pod: the server reads it again.
func TestNewMembersRestartNoServer(t *testing.T) {
	render := func(members ...string) (config, pod any) {
		objects, err := prometheus.Managed{}.Render(component.Inputs{Mesh: mesh(v1alpha1.PrometheusComponent{}), Members: members})
		if err != nil {
			t.Fatal(err)
		}
		for _, object := range objects {
			switch object.GetKind() {
			case "ConfigMap":
				config = object.Object["data"]
			case "Deployment":
				pod = object.Object["spec"]
			}
		}
		return config, pod
	}
	config, pod := render("shop")
	joined, same := render("shop", "bank")
	if reflect.DeepEqual(config, joined) {
		t.Error("the configuration does not have the namespace that joined")
	}
	if !reflect.DeepEqual(pod, same) {
		t.Error("a namespace that joins replaces the pod")
	}
	if arguments := fmt.Sprint(pod); !strings.Contains(arguments, "--enable-feature=auto-reload-config") {
		t.Error("the server does not read its configuration again")
	}
}

func TestHealth(t *testing.T) {
	deployment := func(status map[string]any) []*unstructured.Unstructured {
		return []*unstructured.Unstructured{{Object: map[string]any{
			"kind": "Deployment", "metadata": map[string]any{"name": "osm-prometheus", "namespace": "osm-system", "generation": int64(2)}, "status": status,
		}}}
	}
	quota := []any{map[string]any{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}}
	for name, test := range map[string]struct {
		live    []*unstructured.Unstructured
		message string
	}{
		"it runs":                 {deployment(map[string]any{"observedGeneration": int64(2), "availableReplicas": int64(1)}), ""},
		"it starts":               {deployment(map[string]any{"observedGeneration": int64(2)}), "the Deployment osm-system/osm-prometheus has no ready pod"},
		"an older version runs":   {deployment(map[string]any{"observedGeneration": int64(1), "availableReplicas": int64(1)}), "no ready pod"},
		"a quota rejects its pod": {deployment(map[string]any{"observedGeneration": int64(2), "conditions": quota}), "no ready pod: exceeded quota"},
		"it does not exist":       {nil, "does not exist"},
	} {
		health := prometheus.Managed{}.Health(test.live)
		if health.Ready != (test.message == "") || !strings.Contains(health.Message, test.message) {
			t.Errorf("%s: %+v, want %q", name, health, test.message)
		}
	}
}

func TestAddress(t *testing.T) {
	for _, test := range []struct {
		settings v1alpha1.PrometheusComponent
		want     string
	}{
		{v1alpha1.PrometheusComponent{}, ""},
		{v1alpha1.PrometheusComponent{Mode: ptr.To(v1alpha1.PrometheusManaged)}, "http://osm-prometheus.osm-system.svc:7070"},
		{v1alpha1.PrometheusComponent{Mode: ptr.To(v1alpha1.PrometheusExisting), Address: ptr.To("https://p")}, "https://p"},
		{v1alpha1.PrometheusComponent{Mode: ptr.To(v1alpha1.PrometheusOperator)}, ""},
	} {
		if got := prometheus.Address(mesh(test.settings)); got != test.want {
			t.Errorf("%+v has the address %q, want %q", test.settings, got, test.want)
		}
	}
	if prometheus.Mode(&v1alpha1.Mesh{}) != v1alpha1.PrometheusDisabled {
		t.Error("a mesh without settings has a Prometheus")
	}
}

// TestPromtoolAcceptsTheConfiguration replaces only the discovery, which Debian's build of Prometheus lacks.
func TestPromtoolAcceptsTheConfiguration(t *testing.T) {
	server := os.Getenv(promtest.BinaryVariable)
	if server == "" {
		t.Fatalf("%s is not set: this test runs promtool, which is in the folder of the Prometheus binary", promtest.BinaryVariable)
	}
	objects, err := prometheus.Managed{}.Render(component.Inputs{Mesh: mesh(v1alpha1.PrometheusComponent{}), Members: []string{"shop"}})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, object := range objects {
		files, found, _ := unstructured.NestedStringMap(object.Object, "data")
		if !found {
			continue
		}
		discovery := regexp.MustCompile(`(?m)^  kubernetes_sd_configs:\n(  +.*\n)*?    role: pod\n`)
		config := discovery.ReplaceAllString(files["prometheus.yml"], "  static_configs: [{targets: [localhost]}]\n")
		config = strings.ReplaceAll(config, "/etc/prometheus", dir)
		for name, text := range map[string]string{"prometheus.yml": config, "rules.yml": files["rules.yml"]} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	promtool := filepath.Join(filepath.Dir(server), "promtool")
	if out, err := exec.Command(promtool, "check", "config", filepath.Join(dir, "prometheus.yml")).CombinedOutput(); err != nil || !bytes.Contains(out, []byte("rules found")) {
		t.Errorf("%v\n%s", err, out)
	}
}
