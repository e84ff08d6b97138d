package operand

import (
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// trustResource is the placeholder of manifests for the trust ConfigMap, whose name contains the mesh name.
const trustResource = "osm-trust"

// bind sets the mesh in roles and bindings.
func bind(object *unstructured.Unstructured, p Parameters) error {
	switch object.GetKind() {
	case "ClusterRole", "Role":
		return editRules(object, func(rule *rbacv1.PolicyRule) {
			for i, name := range rule.ResourceNames {
				if name == trustResource {
					rule.ResourceNames[i] = names.TrustConfigMap(p.Mesh)
				}
			}
		})
	case "ClusterRoleBinding", "RoleBinding":
		return bindSubjects(object, p)
	}
	return nil
}

// bindSubjects sets the role and the service accounts of a mesh in a binding.
func bindSubjects(object *unstructured.Unstructured, p Parameters) error {
	if object.GetKind() == "ClusterRoleBinding" {
		role, _, err := unstructured.NestedString(object.Object, "roleRef", "name")
		if err != nil {
			return err
		}
		if err := unstructured.SetNestedField(object.Object, role+"-"+p.Mesh, "roleRef", "name"); err != nil {
			return err
		}
	}
	subjects, _, err := unstructured.NestedSlice(object.Object, "subjects")
	if err != nil {
		return err
	}
	for _, subject := range subjects {
		if subject, ok := subject.(map[string]any); ok {
			subject["namespace"] = p.Namespace
		}
	}
	return unstructured.SetNestedSlice(object.Object, subjects, "subjects")
}

// editRules edits each rule of a role in place.
func editRules(object *unstructured.Unstructured, edit func(*rbacv1.PolicyRule)) error {
	rules, _, err := unstructured.NestedSlice(object.Object, "rules")
	if err != nil {
		return err
	}
	for i := range rules {
		var rule rbacv1.PolicyRule
		asMap, _ := rules[i].(map[string]any)
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(asMap, &rule); err != nil {
			return err
		}
		edit(&rule)
		if rules[i], err = runtime.DefaultUnstructuredConverter.ToUnstructured(&rule); err != nil {
			return err
		}
	}
	return unstructured.SetNestedSlice(object.Object, rules, "rules")
}
