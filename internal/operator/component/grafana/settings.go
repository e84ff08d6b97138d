package grafana

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
)

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
