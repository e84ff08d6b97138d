package trafficmetrics

import (
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
)

// Server runs the server in the namespace of the mesh.
type Server struct{}

// Name implements component.Component.
func (Server) Name() string { return "traffic-metrics" }

// Enabled implements component.Optional.
func (Server) Enabled(mesh *v1alpha1.Mesh) bool { return Mode(mesh) == v1alpha1.TrafficMetricsManaged }

// Requires implements component.Component.
func (Server) Requires() []component.Kind {
	return []component.Kind{
		component.V1("", "ServiceAccount", "serviceaccounts"),
		component.V1("", "ConfigMap", "configmaps"),
		component.V1("", "Service", "services"),
		component.V1("apps", "Deployment", "deployments"),
		component.V1("rbac.authorization.k8s.io", "Role", "roles"),
		component.V1("rbac.authorization.k8s.io", "RoleBinding", "rolebindings"),
		component.V1("rbac.authorization.k8s.io", "ClusterRole", "clusterroles"),
		component.V1("rbac.authorization.k8s.io", "ClusterRoleBinding", "clusterrolebindings"),
	}
}

// Images implements component.Component.
func (Server) Images() []component.Image { return []component.Image{image()} }

// Render implements component.Component.
func (Server) Render(inputs component.Inputs) ([]*unstructured.Unstructured, error) {
	config := authorities(inputs)
	objects := append([]client.Object{component.ServiceAccount(inputs.Mesh, Name), config}, access(inputs)...)
	service := component.Service(inputs.Mesh, Name, selector, component.NamedPort(portName, servicePort))
	return component.Labelled(inputs, append(objects, service, deployment(inputs, config))...)
}

// Health implements component.Component. It is that of the Deployment.
func (Server) Health(live []*unstructured.Unstructured) component.Health {
	return component.DeploymentHealth(live, Name)
}

// API registers the server in the API server.
type API struct{}

// Name implements component.Component.
func (API) Name() string { return "traffic-metrics-api" }

// Enabled implements component.Optional. The API is registered while its server is ready.
func (API) Enabled(mesh *v1alpha1.Mesh) bool {
	if !(Server{}).Enabled(mesh) {
		return false
	}
	for _, c := range mesh.Status.Components {
		if c.Name == (Server{}).Name() {
			return c.Ready
		}
	}
	return false
}

// Requires implements component.Component.
func (API) Requires() []component.Kind {
	kind := component.V1("apiregistration.k8s.io", "APIService", "apiservices")
	kind.Names = []string{APIServiceName}
	return []component.Kind{kind}
}

// Images implements component.Component.
func (API) Images() []component.Image { return nil }

// Render implements component.Component. The server writes the certificate that the API server trusts.
func (API) Render(inputs component.Inputs) ([]*unstructured.Unstructured, error) {
	api := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
		"metadata": map[string]any{"name": APIServiceName},
		"spec": map[string]any{
			"group": "metrics.smi-spec.io", "version": "v1alpha1", "groupPriorityMinimum": int64(100), "versionPriority": int64(100),
			"service": map[string]any{"namespace": component.Namespace(inputs.Mesh), "name": Name, "port": int64(servicePort)},
		},
	}}
	return component.Labelled(inputs, api)
}

// Health implements component.Component. It is that of the APIService.
func (API) Health(live []*unstructured.Unstructured) component.Health {
	for _, object := range live {
		conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
		for _, c := range conditions {
			condition, _ := c.(map[string]any)
			if condition["type"] != "Available" {
				continue
			}
			if condition["status"] == "True" {
				return component.Health{Ready: true}
			}
			message, _ := condition["message"].(string)
			return component.Health{Message: "the APIService " + APIServiceName + " is not available: " + message}
		}
	}
	return component.Health{Message: "the API server has not reached the server yet"}
}

// access allows the server to authenticate and authorize requests, to write its certificate into its APIService, and to list the objects
// that label selectors select. It grants no access to the content of the cluster beyond the namespaces of the mesh.
func access(inputs component.Inputs) []client.Object {
	name := Name + "-" + inputs.Mesh.Name
	subjects := []rbacv1.Subject{{Kind: "ServiceAccount", Name: Name, Namespace: component.Namespace(inputs.Mesh)}}
	bind := func(namespace, name, kind, role string) client.Object {
		reference := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: role}
		object := metav1.ObjectMeta{Namespace: namespace, Name: name}
		if namespace == "" {
			return &rbacv1.ClusterRoleBinding{TypeMeta: rbacType("ClusterRoleBinding"), ObjectMeta: object, RoleRef: reference, Subjects: subjects}
		}
		return &rbacv1.RoleBinding{TypeMeta: rbacType("RoleBinding"), ObjectMeta: object, RoleRef: reference, Subjects: subjects}
	}
	objects := []client.Object{
		&rbacv1.ClusterRole{TypeMeta: rbacType("ClusterRole"), ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{"apiregistration.k8s.io"}, Resources: []string{"apiservices"}, ResourceNames: []string{APIServiceName}, Verbs: []string{"get", "patch"}},
			{APIGroups: []string{""}, Resources: []string{"namespaces"}, Verbs: []string{"list"}},
		}},
		bind("", name, "ClusterRole", name),
		bind("", name+"-auth", "ClusterRole", "system:auth-delegator"),
		bind("kube-system", name, "Role", "extension-apiserver-authentication-reader"),
	}
	for _, namespace := range inputs.Members {
		objects = append(objects,
			&rbacv1.Role{TypeMeta: rbacType("Role"), ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: Name}, Rules: []rbacv1.PolicyRule{
				{APIGroups: []string{""}, Resources: []string{"pods", "replicationcontrollers", "services"}, Verbs: []string{"list"}},
				{APIGroups: []string{"apps"}, Resources: []string{"daemonsets", "deployments", "replicasets", "statefulsets"}, Verbs: []string{"list"}},
				{APIGroups: []string{"batch"}, Resources: []string{"jobs"}, Verbs: []string{"list"}},
			}},
			bind(namespace, Name, "Role", Name))
	}
	return objects
}

func rbacType(kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: kind}
}
