package grafana_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/component/grafana"
	"github.com/openservicemesh/osm-operator/internal/operator/dashboards"
	"github.com/openservicemesh/osm-operator/internal/testing/golden"
)

func inputs(mode v1alpha1.GrafanaMode, edit func(*v1alpha1.ObservabilitySpec)) component.Inputs {
	spec := &v1alpha1.ObservabilitySpec{
		Grafana:    &v1alpha1.GrafanaComponent{Mode: &mode},
		Prometheus: &v1alpha1.PrometheusComponent{Mode: ptr.To(v1alpha1.PrometheusManaged)},
	}
	if edit != nil {
		edit(spec)
	}
	return component.Inputs{Mesh: &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm"}, Spec: v1alpha1.MeshSpec{Observability: spec}}}
}

// TestGolden compares the objects of each mode with testdata. Dashboards have their own tests, so their titles replace them.
func TestGolden(t *testing.T) {
	pages := grafana.NewPages(dashboards.Grafana)
	for name, test := range map[string]struct {
		component component.Component
		inputs    component.Inputs
	}{
		"managed": {grafana.Managed{Pages: pages}, inputs(v1alpha1.GrafanaManaged, nil)},
		"managed-existing": {grafana.Managed{Pages: pages}, inputs(v1alpha1.GrafanaManaged, func(s *v1alpha1.ObservabilitySpec) {
			s.Grafana.Managed = &v1alpha1.ManagedGrafana{Image: ptr.To("example/grafana:1")}
			s.Prometheus = &v1alpha1.PrometheusComponent{
				Mode: ptr.To(v1alpha1.PrometheusExisting), Address: ptr.To("https://prometheus.monitoring.svc"), CABundle: ptr.To(v1alpha1.CABundle("a certificate")),
			}
		})},
		"operator": {grafana.Dashboards{Pages: pages}, inputs(v1alpha1.GrafanaOperator, func(s *v1alpha1.ObservabilitySpec) {
			s.Grafana.InstanceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"dashboards": "mesh"}}
		})},
		"configmaps": {grafana.Shared{Pages: pages}, inputs(v1alpha1.GrafanaConfigMaps, nil)},
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
			for file, text := range data {
				data[file] = shortened(t, file, text)
			}
			_ = unstructured.SetNestedStringMap(object.Object, data, "data")
		}
		if text, found, _ := unstructured.NestedString(object.Object, "spec", "json"); found {
			_ = unstructured.SetNestedField(object.Object, shortened(t, "x.json", text), "spec", "json")
		}
		// The hash changes with every dashboard.
		unstructured.RemoveNestedField(object.Object, "spec", "template", "metadata", "annotations")
		text, err := yaml.Marshal(object.Object)
		if err != nil {
			t.Fatal(err)
		}
		out.WriteString("---\n")
		out.Write(text)
	}
	return out.Bytes()
}

// shortened replaces a dashboard by its title.
func shortened(t *testing.T, file, text string) string {
	t.Helper()
	if !strings.HasSuffix(file, ".json") {
		return text
	}
	return titleOf(t, text)
}

func titleOf(t *testing.T, text string) string {
	t.Helper()
	var d struct{ Title string }
	if err := json.Unmarshal([]byte(text), &d); err != nil || d.Title == "" {
		t.Fatalf("not a dashboard: %v: %.80s", err, text)
	}
	return d.Title
}

// TestEveryModeHasEveryDashboard counts the dashboards in the objects of each mode.
func TestEveryModeHasEveryDashboard(t *testing.T) {
	pages := grafana.NewPages(dashboards.Grafana)
	for _, c := range []component.Component{grafana.Managed{Pages: pages}, grafana.Dashboards{Pages: pages}, grafana.Shared{Pages: pages}} {
		objects, err := c.Render(inputs(v1alpha1.GrafanaManaged, nil))
		if err != nil {
			t.Fatal(err)
		}
		titles := map[string]bool{}
		for _, object := range objects {
			data, _, _ := unstructured.NestedStringMap(object.Object, "data")
			if text, found, _ := unstructured.NestedString(object.Object, "spec", "json"); found {
				data = map[string]string{"spec.json": text}
			}
			for file, text := range data {
				if strings.HasSuffix(file, ".json") {
					titles[titleOf(t, text)] = true
				}
			}
		}
		if want := len(dashboards.All()); len(titles) != want {
			t.Errorf("%s has %d dashboards, want %d", c.Name(), len(titles), want)
		}
	}
}

// TestConfigurationChangesThePodTemplate verifies that the server restarts with another Prometheus.
func TestConfigurationChangesThePodTemplate(t *testing.T) {
	pages := grafana.NewPages(dashboards.Grafana)
	hash := func(edit func(*v1alpha1.ObservabilitySpec)) string {
		objects, err := grafana.Managed{Pages: pages}.Render(inputs(v1alpha1.GrafanaManaged, edit))
		if err != nil {
			t.Fatal(err)
		}
		annotations, _, _ := unstructured.NestedStringMap(objects[len(objects)-1].Object, "spec", "template", "metadata", "annotations")
		return annotations["operator.openservicemesh.io/config-hash"]
	}
	own := hash(nil)
	other := hash(func(s *v1alpha1.ObservabilitySpec) {
		s.Prometheus = &v1alpha1.PrometheusComponent{Mode: ptr.To(v1alpha1.PrometheusExisting), Address: ptr.To("http://elsewhere:9090")}
	})
	if own == "" || own == other || own != hash(nil) {
		t.Errorf("hashes %q and %q, want two that differ and stay", own, other)
	}
}

// TestDashboardsWithoutGrafanaAreReported reads the condition of a dashboard that no Grafana shows.
func TestDashboardsWithoutGrafanaAreReported(t *testing.T) {
	for name, test := range map[string]struct {
		condition map[string]any
		ready     bool
	}{
		"no instance":  {map[string]any{"type": "NoMatchingInstance", "status": "True", "message": "no Grafana matches"}, false},
		"refused":      {map[string]any{"type": "DashboardSynchronized", "status": "False", "message": "no Grafana matches"}, false},
		"synchronized": {map[string]any{"type": "DashboardSynchronized", "status": "True", "message": "applied"}, true},
	} {
		live := &unstructured.Unstructured{Object: map[string]any{"status": map[string]any{"conditions": []any{test.condition}}}}
		live.SetName("osm-rollout")
		health := grafana.Dashboards{}.Health([]*unstructured.Unstructured{live})
		if health.Ready != test.ready || !test.ready && !strings.Contains(health.Message, "osm-rollout: no Grafana matches") {
			t.Errorf("%s: %+v", name, health)
		}
	}
}

// TestDashboardsAreRenderedOnce renders the components of all modes twice.
func TestDashboardsAreRenderedOnce(t *testing.T) {
	rendered := map[string]int{}
	pages := grafana.NewPages(func(d dashboards.Dashboard) ([]byte, error) {
		rendered[d.File]++
		return []byte(d.Title), nil
	})
	for range 2 {
		for _, c := range []component.Component{grafana.Managed{Pages: pages}, grafana.Dashboards{Pages: pages}, grafana.Shared{Pages: pages}} {
			if _, err := c.Render(inputs(v1alpha1.GrafanaManaged, nil)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, d := range dashboards.All() {
		if rendered[d.File] != 1 {
			t.Errorf("%s was rendered %d times, want once", d.File, rendered[d.File])
		}
	}
}

// TestFailedRenderingIsReported has a dashboard that cannot be written.
func TestFailedRenderingIsReported(t *testing.T) {
	pages := grafana.NewPages(func(d dashboards.Dashboard) ([]byte, error) { return nil, errors.New("no builder for " + d.File) })
	for _, c := range []component.Component{grafana.Managed{Pages: pages}, grafana.Dashboards{Pages: pages}, grafana.Shared{Pages: pages}} {
		if _, err := c.Render(inputs(v1alpha1.GrafanaManaged, nil)); err == nil || !strings.Contains(err.Error(), "no builder for osm-") {
			t.Errorf("%s: error %v, want why a dashboard is missing", c.Name(), err)
		}
	}
}
