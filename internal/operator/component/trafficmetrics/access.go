package trafficmetrics

import (
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/operator/component"
)

func serviceAccount(inputs component.Inputs) *corev1.ServiceAccount {
	return &corev1.ServiceAccount{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"}, ObjectMeta: meta(inputs)}
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
