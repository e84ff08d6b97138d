package grafana

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
)

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
