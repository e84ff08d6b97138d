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
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// Managed runs a Grafana server in the namespace of the mesh.
type Managed struct {
	// Pages are the dashboards of the server.
	Pages Pages
}

// Name implements component.Component.
func (Managed) Name() string { return "grafana" }

// Enabled implements component.Optional.
func (Managed) Enabled(mesh *v1alpha1.Mesh) bool { return Mode(mesh) == v1alpha1.GrafanaManaged }

// Requires implements component.Component.
func (Managed) Requires() []component.Kind {
	return []component.Kind{
		component.V1("", "ServiceAccount", "serviceaccounts"), configMaps, component.V1("", "Service", "services"),
		component.V1("apps", "Deployment", "deployments"),
	}
}

// Images implements component.Component.
func (Managed) Images() []component.Image { return []component.Image{image()} }

// Render implements component.Component.
func (m Managed) Render(inputs component.Inputs) ([]*unstructured.Unstructured, error) {
	pages, err := m.Pages()
	if err != nil {
		return nil, err
	}
	files, err := configuration(inputs, pages)
	if err != nil {
		return nil, err
	}
	objects := lists.Map(files, func(m mount) client.Object { return m.config })
	service := component.Service(inputs.Mesh, Name, selector, component.NamedPort(portName, Port))
	server, err := deployment(inputs, files)
	if err != nil {
		return nil, err
	}
	return component.Labelled(inputs, append(objects, serviceAccount(inputs), service, server)...)
}

// Health implements component.Component. It is that of the Deployment.
func (Managed) Health(live []*unstructured.Unstructured) component.Health {
	return component.DeploymentHealth(live, Name)
}

// Name is the name of the objects in the namespace of the mesh, as in OSM.
const Name = "osm-grafana"

// Port is the port of the server, as in OSM.
const Port = 3000

// DefaultImage is the default of spec.observability.grafana.managed.image.
const DefaultImage = "docker.io/grafana/grafana:12.2.0"

func settings(mesh *v1alpha1.Mesh) v1alpha1.GrafanaComponent {
	return ptr.Deref(ptr.Deref(mesh.Spec.Observability, v1alpha1.ObservabilitySpec{}).Grafana, v1alpha1.GrafanaComponent{})
}

// Mode returns the mode, with its default.
func Mode(mesh *v1alpha1.Mesh) v1alpha1.GrafanaMode {
	return ptr.Deref(settings(mesh).Mode, v1alpha1.GrafanaDisabled)
}

func image() component.Image {
	return component.Image{
		Variable: "RELATED_IMAGE_GRAFANA", HelmKey: "grafana", Field: "spec.observability.grafana.managed.image",
		Reference: DefaultImage,
	}
}

// What the sidecar of Grafana's Helm chart looks for, with its default names.
const (
	dashboardLabel   = "grafana_dashboard"
	folderAnnotation = "grafana_folder"
)

var configMaps = component.V1("", "ConfigMap", "configmaps")

// Shared creates ConfigMaps that a Grafana of somebody else collects.
type Shared struct {
	component.Passive
	// Pages are the dashboards.
	Pages Pages
}

// Name implements component.Component.
func (Shared) Name() string { return "grafana-configmaps" }

// Enabled implements component.Optional.
func (Shared) Enabled(mesh *v1alpha1.Mesh) bool { return Mode(mesh) == v1alpha1.GrafanaConfigMaps }

// Requires implements component.Component.
func (Shared) Requires() []component.Kind { return []component.Kind{configMaps} }

// Render implements component.Component.
func (s Shared) Render(inputs component.Inputs) ([]*unstructured.Unstructured, error) {
	pages, err := s.Pages()
	if err != nil {
		return nil, err
	}
	var objects []client.Object
	for _, page := range pages {
		config := configMap(inputs, page.File, map[string]string{page.File + ".json": page.JSON})
		config.Labels = map[string]string{dashboardLabel: "1"}
		config.Annotations = map[string]string{folderAnnotation: string(page.Folder)}
		objects = append(objects, config)
	}
	return component.Labelled(inputs, objects...)
}

// dashboardKind is the kind of grafana-operator, version 5.
var dashboardKind = component.Kind{
	GroupVersionKind: schema.GroupVersionKind{Group: "grafana.integreatly.org", Version: "v1beta1", Kind: "GrafanaDashboard"},
	Resource:         "grafanadashboards",
}

// Dashboards creates dashboards for the servers of a grafana-operator.
type Dashboards struct {
	component.Passive
	// Pages are the dashboards.
	Pages Pages
}

// Name implements component.Component.
func (Dashboards) Name() string { return "grafana-dashboards" }

// Enabled implements component.Optional.
func (Dashboards) Enabled(mesh *v1alpha1.Mesh) bool { return Mode(mesh) == v1alpha1.GrafanaOperator }

// Requires implements component.Component.
func (Dashboards) Requires() []component.Kind { return []component.Kind{dashboardKind} }

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
