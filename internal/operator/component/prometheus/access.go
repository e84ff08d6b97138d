package prometheus

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/component/prometheus/rules"
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

// unboundClaim describes the live claim for the samples if it has no volume; empty if it has one, or without a claim. The pod does not start
// without the volume.
func unboundClaim(live []*unstructured.Unstructured) string {
	for _, object := range live {
		if object.GetKind() != "PersistentVolumeClaim" {
			continue
		}
		if phase, _, _ := unstructured.NestedString(object.Object, "status", "phase"); phase == "Bound" {
			continue
		}
		class, _, _ := unstructured.NestedString(object.Object, "spec", "storageClassName")
		of := "no StorageClass"
		if class != "" {
			of = "the StorageClass " + class
		}
		return fmt.Sprintf("the PersistentVolumeClaim %s/%s with %s has no volume: see kubectl describe persistentvolumeclaim -n %s %s",
			object.GetNamespace(), object.GetName(), of, object.GetNamespace(), object.GetName())
	}
	return ""
}

// Files of the ConfigMap.
const (
	configFile = "prometheus.yml"
	rulesFile  = "rules.yml"
)

func configMap(inputs component.Inputs) (*corev1.ConfigMap, error) {
	file, err := rules.ForMesh(inputs.Mesh.Name)
	if err != nil {
		return nil, err
	}
	config, err := yaml.Marshal(configuration(inputs))
	if err != nil {
		return nil, fmt.Errorf("the configuration of Prometheus cannot be written: %w", err)
	}
	ruleText, err := yaml.Marshal(file)
	if err != nil {
		return nil, fmt.Errorf("the rules of Prometheus cannot be written: %w", err)
	}
	return &corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Namespace: component.Namespace(inputs.Mesh), Name: Name},
		Data:       map[string]string{configFile: string(config), rulesFile: string(ruleText)},
	}, nil
}
