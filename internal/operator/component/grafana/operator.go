package grafana

import (
	"fmt"
	"strings"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/dashboards"
)

// dashboardKind is the kind of grafana-operator, version 5.
var dashboardKind = component.Kind{
	GroupVersionKind: schema.GroupVersionKind{Group: "grafana.integreatly.org", Version: "v1beta1", Kind: "GrafanaDashboard"},
	Resource:         "grafanadashboards",
}

// Dashboards creates dashboards for the servers of a grafana-operator.
type Dashboards struct {
	// Pages are the dashboards.
	Pages Pages
}

// Name implements component.Component.
func (Dashboards) Name() string { return "grafana-dashboards" }

// Enabled implements component.Optional.
func (Dashboards) Enabled(mesh *v1alpha1.Mesh) bool { return Mode(mesh) == v1alpha1.GrafanaOperator }

// Requires implements component.Component.
func (Dashboards) Requires() []component.Kind { return []component.Kind{dashboardKind} }

// Images implements component.Component. The grafana-operator runs the server.
func (Dashboards) Images() []component.Image { return nil }

// Render implements component.Component.
func (c Dashboards) Render(inputs component.Inputs) ([]*unstructured.Unstructured, error) {
	selector, err := runtime.DefaultUnstructuredConverter.ToUnstructured(ptr.To(ptr.Deref(settings(inputs.Mesh).InstanceSelector, metav1.LabelSelector{})))
	if err != nil {
		return nil, fmt.Errorf("spec.observability.grafana.instanceSelector cannot be written: %w", err)
	}
	pages, err := c.Pages()
	if err != nil {
		return nil, err
	}
	var objects []client.Object
	for _, page := range pages {
		object := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
			"instanceSelector": selector, "allowCrossNamespaceImport": true, "folder": string(page.Folder), "json": page.JSON,
		}}}
		object.SetGroupVersionKind(dashboardKind.GroupVersionKind)
		object.SetNamespace(component.Namespace(inputs.Mesh))
		object.SetName(page.File)
		objects = append(objects, object)
	}
	return component.Labelled(inputs, objects...)
}

// Health implements component.Component. A dashboard that no Grafana shows has a condition with the reason.
func (Dashboards) Health(live []*unstructured.Unstructured) component.Health {
	var problems []string
	for _, object := range live {
		conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
		for _, c := range conditions {
			condition, _ := c.(map[string]any)
			unmatched := condition["type"] == "NoMatchingInstance" && condition["status"] == "True"
			failed := condition["type"] == "DashboardSynchronized" && condition["status"] == "False"
			if message, _ := condition["message"].(string); unmatched || failed {
				problems = append(problems, fmt.Sprintf("%s: %s", object.GetName(), message))
			}
		}
	}
	if len(problems) > 0 {
		return component.Health{Message: "the grafana-operator does not show " + strings.Join(problems, "; ")}
	}
	return component.Health{Ready: true}
}

// Pages returns all dashboards with their JSON.
type Pages func() ([]Page, error)

// Page is a dashboard with its JSON.
type Page struct {
	dashboards.Dashboard
	JSON string
}

// NewPages returns Pages that render each dashboard once, at the first use: dashboards are constants of a version of the operator.
func NewPages(render func(dashboards.Dashboard) ([]byte, error)) Pages {
	return sync.OnceValues(func() ([]Page, error) {
		var pages []Page
		for _, d := range dashboards.All() {
			text, err := render(d)
			if err != nil {
				return nil, err
			}
			pages = append(pages, Page{Dashboard: d, JSON: string(text)})
		}
		return pages, nil
	})
}
