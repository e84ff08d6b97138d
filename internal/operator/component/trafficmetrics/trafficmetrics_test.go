package trafficmetrics_test

import (
	"bytes"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/component/trafficmetrics"
	"github.com/openservicemesh/osm-operator/internal/testing/golden"
)

func mesh(managed *v1alpha1.ManagedTrafficMetrics, prometheus v1alpha1.PrometheusComponent) *v1alpha1.Mesh {
	return &v1alpha1.Mesh{
		ObjectMeta: metav1.ObjectMeta{Name: "osm"},
		Spec: v1alpha1.MeshSpec{Observability: &v1alpha1.ObservabilitySpec{
			Prometheus:     &prometheus,
			TrafficMetrics: &v1alpha1.TrafficMetricsComponent{Mode: ptr.To(v1alpha1.TrafficMetricsManaged), Managed: managed},
		}},
	}
}

var (
	managedServer = v1alpha1.PrometheusComponent{Mode: ptr.To(v1alpha1.PrometheusManaged)}
	existing      = v1alpha1.PrometheusComponent{
		Mode: ptr.To(v1alpha1.PrometheusExisting), Address: ptr.To("https://prometheus.monitoring.svc:9090"), CABundle: ptr.To(v1alpha1.CABundle("PEM")),
	}
	changed = v1alpha1.ManagedTrafficMetrics{
		Image:     ptr.To("example/traffic-metrics:1"),
		Resources: &corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")}},
	}
)

// render returns the objects of both components.
func render(t *testing.T, mesh *v1alpha1.Mesh) []*unstructured.Unstructured {
	t.Helper()
	inputs := component.Inputs{Mesh: mesh, Members: []string{"shop"}}
	objects, err := trafficmetrics.Server{}.Render(inputs)
	if err != nil {
		t.Fatal(err)
	}
	registered, err := trafficmetrics.API{}.Render(inputs)
	if err != nil {
		t.Fatal(err)
	}
	return append(objects, registered...)
}

func TestGolden(t *testing.T) {
	for name, m := range map[string]*v1alpha1.Mesh{"defaults": mesh(nil, managedServer), "existing": mesh(&changed, existing)} {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			for _, object := range render(t, m) {
				text, err := yaml.Marshal(object.Object)
				if err != nil {
					t.Fatal(err)
				}
				got.WriteString("---\n")
				got.Write(text)
			}
			golden.Compare(t, "testdata/"+name+".yaml", got.Bytes())
		})
	}
}

// TestRegisteredWhileReady verifies that the API server never has an APIService without a server behind it.
func TestRegisteredWhileReady(t *testing.T) {
	ready, starting := v1alpha1.ComponentStatus{Name: "traffic-metrics", Ready: true}, v1alpha1.ComponentStatus{Name: "traffic-metrics"}
	for name, test := range map[string]struct {
		components []v1alpha1.ComponentStatus
		registered bool
	}{
		"before the first reconciliation": {nil, false},
		"the server starts":               {[]v1alpha1.ComponentStatus{starting}, false},
		"the server is ready":             {[]v1alpha1.ComponentStatus{ready}, true},
		"only another component is ready": {[]v1alpha1.ComponentStatus{{Name: "traffic-metrics-api", Ready: true}}, false},
	} {
		m := mesh(nil, managedServer)
		m.Status.Components = test.components
		if got := (trafficmetrics.API{}).Enabled(m); got != test.registered {
			t.Errorf("%s: registered %t, want %t", name, got, test.registered)
		}
		m.Spec.Observability.TrafficMetrics.Mode = ptr.To(v1alpha1.TrafficMetricsDisabled)
		if (trafficmetrics.API{}).Enabled(m) || (trafficmetrics.Server{}).Enabled(m) {
			t.Errorf("%s: it is enabled although its mode is Disabled", name)
		}
	}
	if (trafficmetrics.Server{}).Enabled(&v1alpha1.Mesh{}) {
		t.Error("it is enabled by default")
	}
}

func TestHealthOfTheAPI(t *testing.T) {
	withCondition := func(status, message string) []*unstructured.Unstructured {
		return []*unstructured.Unstructured{{Object: map[string]any{"status": map[string]any{"conditions": []any{
			map[string]any{"type": "Available", "status": status, "message": message},
		}}}}}
	}
	for name, test := range map[string]struct {
		live    []*unstructured.Unstructured
		message string
	}{
		"available":               {withCondition("True", "all checks passed"), ""},
		"the server has no pod":   {withCondition("False", "no endpoints"), "v1alpha1.metrics.smi-spec.io is not available: no endpoints"},
		"it was created just now": {[]*unstructured.Unstructured{{Object: map[string]any{}}}, "has not reached"},
	} {
		health := trafficmetrics.API{}.Health(test.live)
		if health.Ready != (test.message == "") || !strings.Contains(health.Message, test.message) {
			t.Errorf("%s: %+v, want %q", name, health, test.message)
		}
	}
}

// TestPermissionsOfTheServer verifies that the server can change one APIService, and read nothing else of the cluster than names.
func TestPermissionsOfTheServer(t *testing.T) {
	for _, object := range render(t, mesh(nil, managedServer)) {
		if object.GetKind() != "ClusterRole" {
			continue
		}
		var role rbacv1.ClusterRole
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &role); err != nil {
			t.Fatal(err)
		}
		for _, rule := range role.Rules {
			named := len(rule.ResourceNames) == 1 && rule.ResourceNames[0] == trafficmetrics.APIServiceName
			if !named && (len(rule.Verbs) != 1 || rule.Verbs[0] != "list" || rule.Resources[0] != "namespaces") {
				t.Errorf("the server has the permission %+v in the whole cluster", rule)
			}
		}
	}
}
