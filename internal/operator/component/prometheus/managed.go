package prometheus

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
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
	config, err := configMap(inputs)
	if err != nil {
		return nil, err
	}
	objects := []client.Object{serviceAccount(inputs), config}
	objects = append(objects, access(inputs)...)
	objects = append(objects, operatorAccess(inputs)...)
	if claim := volumeClaim(inputs); claim != nil {
		objects = append(objects, claim)
	}
	return component.Labelled(inputs, append(objects, service(inputs), deployment(inputs, config))...)
}

// Health implements component.Component. It is that of the Deployment, whose pod does not start without its volume.
func (Managed) Health(live []*unstructured.Unstructured) component.Health {
	health := component.DeploymentHealth(live, Name)
	if claim := unboundClaim(live); !health.Ready && claim != "" {
		health.Message += "; " + claim
	}
	return health
}
