package prometheus

import (
	"fmt"
	"time"

	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
)

// Name is the name of the objects in the namespace of the mesh and of the roles in its member namespaces, as in OSM.
const Name = "osm-prometheus"

// Port is the port of the server, as in OSM.
const Port = 7070

// Defaults of spec.observability.prometheus.managed.
const (
	DefaultImage     = "quay.io/prometheus/prometheus:v3.15.0"
	DefaultRetention = 360 * time.Hour
)

// Settings returns what a Mesh declares about Prometheus.
func Settings(mesh *v1alpha1.Mesh) v1alpha1.PrometheusComponent {
	return ptr.Deref(ptr.Deref(mesh.Spec.Observability, v1alpha1.ObservabilitySpec{}).Prometheus, v1alpha1.PrometheusComponent{})
}

// Mode returns the mode, with its default.
func Mode(mesh *v1alpha1.Mesh) v1alpha1.PrometheusMode {
	return ptr.Deref(Settings(mesh).Mode, v1alpha1.PrometheusDisabled)
}

// Address returns the base URL of the API of the server that scrapes the mesh, or "" if none is known.
func Address(mesh *v1alpha1.Mesh) string {
	switch Mode(mesh) {
	case v1alpha1.PrometheusManaged:
		return fmt.Sprintf("http://%s.%s.svc:%d", Name, component.Namespace(mesh), Port)
	case v1alpha1.PrometheusExisting, v1alpha1.PrometheusOperator:
		return ptr.Deref(Settings(mesh).Address, "")
	default:
		return ""
	}
}

func image() component.Image {
	return component.Image{
		Variable: "RELATED_IMAGE_PROMETHEUS", HelmKey: "prometheus", Field: "spec.observability.prometheus.managed.image",
		Reference: DefaultImage,
	}
}
