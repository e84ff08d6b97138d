package grafana

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
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
		component.V1("", "ServiceAccount", "serviceaccounts"), configMaps, component.V1("", "Service", "services"), component.V1("apps", "Deployment", "deployments"),
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
	var objects []client.Object
	for _, config := range configsOf(files) {
		objects = append(objects, config)
	}
	return component.Labelled(inputs, append(objects, serviceAccount(inputs), service(inputs), deployment(inputs, files))...)
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

func meta(inputs component.Inputs, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: component.Namespace(inputs.Mesh), Name: name}
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
	// Pages are the dashboards.
	Pages Pages
}

// Name implements component.Component.
func (Shared) Name() string { return "grafana-configmaps" }

// Enabled implements component.Optional.
func (Shared) Enabled(mesh *v1alpha1.Mesh) bool { return Mode(mesh) == v1alpha1.GrafanaConfigMaps }

// Requires implements component.Component.
func (Shared) Requires() []component.Kind { return []component.Kind{configMaps} }

// Images implements component.Component. The mesh does not run the server.
func (Shared) Images() []component.Image { return nil }

// Render implements component.Component.
func (s Shared) Render(inputs component.Inputs) ([]*unstructured.Unstructured, error) {
	pages, err := s.Pages()
	if err != nil {
		return nil, err
	}
	var objects []client.Object
	for _, page := range pages {
		config := &corev1.ConfigMap{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
			ObjectMeta: meta(inputs, Name+"-"+page.File),
			Data:       map[string]string{page.File + ".json": page.JSON},
		}
		config.Labels = map[string]string{dashboardLabel: "1"}
		config.Annotations = map[string]string{folderAnnotation: string(page.Folder)}
		objects = append(objects, config)
	}
	return component.Labelled(inputs, objects...)
}

// Health implements component.Component.
func (Shared) Health(live []*unstructured.Unstructured) component.Health {
	return component.AlwaysHealthy(live)
}
