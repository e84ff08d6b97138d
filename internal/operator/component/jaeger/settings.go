package jaeger

import (
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
)

// Name is the name of the objects in the namespace of the mesh, as in OSM.
const Name = "jaeger"

// QueryPort is the port of the API and the user interface.
const QueryPort = 16686

// Defaults of spec.observability.jaeger.managed.
const (
	DefaultImage     = "quay.io/jaegertracing/jaeger:2.13.0"
	DefaultMaxTraces = 10000
)

// Mode returns the mode, with its default.
func Mode(mesh *v1alpha1.Mesh) v1alpha1.JaegerMode {
	return ptr.Deref(settings(mesh).Mode, v1alpha1.JaegerDisabled)
}

func settings(mesh *v1alpha1.Mesh) v1alpha1.JaegerComponent {
	return ptr.Deref(ptr.Deref(mesh.Spec.Observability, v1alpha1.ObservabilitySpec{}).Jaeger, v1alpha1.JaegerComponent{})
}

func managedSettings(mesh *v1alpha1.Mesh) v1alpha1.ManagedJaeger {
	return ptr.Deref(settings(mesh).Managed, v1alpha1.ManagedJaeger{})
}

func image() component.Image {
	return component.Image{
		Variable: "RELATED_IMAGE_JAEGER", HelmKey: "jaeger", Field: "spec.observability.jaeger.managed.image",
		Reference: DefaultImage,
	}
}
