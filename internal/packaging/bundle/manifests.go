package bundle

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	yamlobjects "github.com/openservicemesh/osm-operator/internal/cli/manifests"
)

// manifests are the manifests of the operator, by how OLM gets them.
type manifests struct {
	deployments  []appsv1.Deployment
	clusterRoles map[string]rbacv1.ClusterRole
	roles        map[string]rbacv1.Role
	// bound are the names of the roles of the operator's ServiceAccount, which are part of the ClusterServiceVersion.
	boundCluster, bound []string
	definitions         []apiextensionsv1.CustomResourceDefinition
	// policies are the admission policies and their bindings, which OLM rejects. The operator applies them.
	policies []*unstructured.Unstructured
	// others are files of the bundle as they are.
	others []*unstructured.Unstructured
}

// read sorts the documents of a YAML stream.
func read(stream []byte) (*manifests, error) {
	objects, err := yamlobjects.Decode(stream)
	if err != nil {
		return nil, fmt.Errorf("cannot read the manifests of the operator: %w", err)
	}
	m := &manifests{clusterRoles: map[string]rbacv1.ClusterRole{}, roles: map[string]rbacv1.Role{}}
	for _, object := range objects {
		if err := m.add(object); err != nil {
			return nil, fmt.Errorf("cannot read %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
	return m, nil
}

// add adds an object. Namespaces and ServiceAccounts come from OLM. A bundle cannot contain what this does not list.
func (m *manifests) add(object *unstructured.Unstructured) error {
	switch kind := object.GetKind(); kind {
	case "Namespace", "ServiceAccount":
	case "Deployment":
		return appendTo(object, &m.deployments)
	case "CustomResourceDefinition":
		m.others = append(m.others, object)
		return appendTo(object, &m.definitions)
	case "ClusterRole":
		m.others = append(m.others, object)
		return insertInto(object, m.clusterRoles)
	case "Role":
		return insertInto(object, m.roles)
	case "ClusterRoleBinding":
		m.boundCluster = append(m.boundCluster, roleOf(object))
	case "RoleBinding":
		m.bound = append(m.bound, roleOf(object))
	case "Service", "PodDisruptionBudget":
		m.others = append(m.others, object)
	case "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding":
		m.policies = append(m.policies, object)
	default:
		return fmt.Errorf("bundles cannot have kind %s", kind)
	}
	return nil
}

// files returns the objects that are files of the bundle, without the ClusterRoles that are part of the ClusterServiceVersion.
func (m *manifests) files() []*unstructured.Unstructured {
	bound := map[string]bool{}
	for _, name := range m.boundCluster {
		bound[name] = true
	}
	var files []*unstructured.Unstructured
	for _, object := range m.others {
		if object.GetKind() == "ClusterRole" && bound[object.GetName()] {
			continue
		}
		object = object.DeepCopy()
		object.SetNamespace("")
		files = append(files, object)
	}
	return files
}

func roleOf(binding *unstructured.Unstructured) string {
	name, _, _ := unstructured.NestedString(binding.Object, "roleRef", "name")
	return name
}

func appendTo[T any](object *unstructured.Unstructured, list *[]T) error {
	var typed T
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &typed); err != nil {
		return err
	}
	*list = append(*list, typed)
	return nil
}

func insertInto[T any](object *unstructured.Unstructured, byName map[string]T) error {
	var typed T
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &typed); err != nil {
		return err
	}
	byName[object.GetName()] = typed
	return nil
}
