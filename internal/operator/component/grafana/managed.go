package grafana

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
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
