package prometheus

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/component"
)

// Managed runs a Prometheus server in the namespace of the mesh.
type Managed struct{}

// Name implements component.Component.
func (Managed) Name() string { return "prometheus" }

// Enabled implements component.Optional.
func (Managed) Enabled(mesh *v1alpha1.Mesh) bool { return Mode(mesh) == v1alpha1.PrometheusManaged }

// Requires implements component.Component.
func (Managed) Requires() []component.Kind {
	kind := func(group, name, resource string) component.Kind {
		return component.Kind{GroupVersionKind: schema.GroupVersionKind{Group: group, Version: "v1", Kind: name}, Resource: resource}
	}
	return []component.Kind{
		kind("", "ServiceAccount", "serviceaccounts"),
		kind("", "ConfigMap", "configmaps"),
		kind("", "Service", "services"),
		kind("", "PersistentVolumeClaim", "persistentvolumeclaims"),
		kind("apps", "Deployment", "deployments"),
		kind("rbac.authorization.k8s.io", "Role", "roles"),
		kind("rbac.authorization.k8s.io", "RoleBinding", "rolebindings"),
		kind("rbac.authorization.k8s.io", "ClusterRoleBinding", "clusterrolebindings"),
	}
}

// Images implements component.Component. The Mesh names the image.
func (Managed) Images() []string { return nil }

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

// Health implements component.Component. It is that of the Deployment.
func (Managed) Health(live []*unstructured.Unstructured) component.Health {
	return component.DeploymentHealth(live, Name)
}
