package prometheus

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
)

// Managed runs a Prometheus server in the namespace of the mesh.
type Managed struct{}

// Name implements component.Component.
func (Managed) Name() string { return "prometheus" }

// Enabled implements component.Optional.
func (Managed) Enabled(mesh *v1alpha1.Mesh) bool { return Mode(mesh) == v1alpha1.PrometheusManaged }

// Requires implements component.Component.
func (Managed) Requires() []component.Kind {
	return []component.Kind{
		component.V1("", "ServiceAccount", "serviceaccounts"),
		component.V1("", "ConfigMap", "configmaps"),
		component.V1("", "Service", "services"),
		component.V1("", "PersistentVolumeClaim", "persistentvolumeclaims"),
		component.V1("apps", "Deployment", "deployments"),
		component.V1("rbac.authorization.k8s.io", "Role", "roles"),
		component.V1("rbac.authorization.k8s.io", "RoleBinding", "rolebindings"),
		component.V1("rbac.authorization.k8s.io", "ClusterRoleBinding", "clusterrolebindings"),
	}
}

// Images implements component.Component.
func (Managed) Images() []component.Image { return []component.Image{image()} }

// Render implements component.Component.
func (Managed) Render(inputs component.Inputs) ([]*unstructured.Unstructured, error) {
	if inputs.OperatorAuthoritiesErr != nil {
		return nil, inputs.OperatorAuthoritiesErr
	}
	config, err := configMap(inputs)
	if err != nil {
		return nil, err
	}
	server, err := deployment(inputs)
	if err != nil {
		return nil, err
	}
	objects := []client.Object{component.ServiceAccount(inputs.Mesh, Name), config}
	objects = append(objects, access(inputs)...)
	objects = append(objects, operatorAccess(inputs)...)
	if claim := volumeClaim(inputs); claim != nil {
		objects = append(objects, claim)
	}
	service := component.Service(inputs.Mesh, Name, selector, component.NamedPort(portName, Port))
	return component.Labelled(inputs, append(objects, service, server)...)
}

// Health implements component.Component. It is that of the Deployment, whose pod does not start without its volume.
func (Managed) Health(live []*unstructured.Unstructured) component.Health {
	health := component.DeploymentHealth(live, Name)
	if claim := unboundClaim(live); !health.Ready && claim != "" {
		health.Message += "; " + claim
	}
	return health
}

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
