package prometheus

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/operator/component"
)

func serviceAccount(inputs component.Inputs) *corev1.ServiceAccount {
	return &corev1.ServiceAccount{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
		ObjectMeta: metav1.ObjectMeta{Namespace: component.Namespace(inputs.Mesh), Name: Name},
	}
}

// access allows the server to discover the pods of the mesh, in its namespaces and in no others.
func access(inputs component.Inputs) []client.Object {
	list := append([]string{component.Namespace(inputs.Mesh)}, inputs.Members...)
	slices.Sort(list)
	var objects []client.Object
	for _, namespace := range slices.Compact(list) {
		meta := metav1.ObjectMeta{Namespace: namespace, Name: Name}
		objects = append(objects,
			&rbacv1.Role{
				TypeMeta: rbacType("Role"), ObjectMeta: meta,
				Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get", "list", "watch"}}},
			},
			&rbacv1.RoleBinding{
				TypeMeta: rbacType("RoleBinding"), ObjectMeta: meta,
				RoleRef:  rbacv1.RoleRef{APIGroup: "rbac.authorization.k8s.io", Kind: "Role", Name: Name},
				Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Name: Name, Namespace: component.Namespace(inputs.Mesh)}},
			})
	}
	return objects
}
