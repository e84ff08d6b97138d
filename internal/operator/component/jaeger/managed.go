package jaeger

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
)

// Managed runs a Jaeger in the namespace of the mesh.
type Managed struct{}

// Name implements component.Component.
func (Managed) Name() string { return "jaeger" }

// Enabled implements component.Optional.
func (Managed) Enabled(mesh *v1alpha1.Mesh) bool { return Mode(mesh) == v1alpha1.JaegerManaged }

// Requires implements component.Component.
func (Managed) Requires() []component.Kind {
	return []component.Kind{
		component.V1("", "ConfigMap", "configmaps"),
		component.V1("", "Service", "services"),
		component.V1("apps", "Deployment", "deployments"),
	}
}

// Images implements component.Component.
func (Managed) Images() []component.Image { return []component.Image{image()} }

// Render implements component.Component.
func (Managed) Render(inputs component.Inputs) ([]*unstructured.Unstructured, error) {
	config, err := configMap(inputs.Mesh)
	if err != nil {
		return nil, err
	}
	server, err := deployment(inputs, config)
	if err != nil {
		return nil, err
	}
	return component.Labelled(inputs, config, component.Service(inputs.Mesh, Name, selector, servicePorts()...), server)
}

// Health implements component.Component. It is that of the Deployment. A pod does not start without the Secret of its storage.
func (Managed) Health(live []*unstructured.Unstructured) component.Health {
	health := component.DeploymentHealth(live, Name)
	if secret, key := storageSecret(live); !health.Ready && secret != "" {
		health.Message += fmt.Sprintf("; it starts only if the Secret %s has the key %s with the configuration of a storage backend", secret, key)
	}
	return health
}

// storageSecret returns the Secret that the live Deployment mounts, and its key.
func storageSecret(live []*unstructured.Unstructured) (name, key string) {
	for _, object := range live {
		volumes, _, _ := unstructured.NestedSlice(object.Object, "spec", "template", "spec", "volumes")
		for _, v := range volumes {
			volume, _ := v.(map[string]any)
			items, _, _ := unstructured.NestedSlice(volume, "secret", "items")
			for _, i := range items {
				item, _ := i.(map[string]any)
				name, _, _ = unstructured.NestedString(volume, "secret", "secretName")
				key, _ = item["key"].(string)
			}
		}
	}
	return name, key
}

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
