package prometheus

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/component"
	"github.com/openservicemesh/osm-operator/internal/operand"
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
	if claim := volumeClaim(inputs); claim != nil {
		objects = append(objects, claim)
	}
	return labelled(inputs, append(objects, service(inputs), deployment(inputs, config))...)
}

// labelled converts objects and adds the labels of the mesh.
func labelled(inputs component.Inputs, objects ...client.Object) ([]*unstructured.Unstructured, error) {
	version := ""
	if len(inputs.ControlPlanes) > 0 {
		version = inputs.ControlPlanes[0].Release.Version
	}
	var all []*unstructured.Unstructured
	for _, object := range objects {
		object.SetLabels(operand.Labels(inputs.Mesh.Name, version))
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
		if err != nil {
			return nil, fmt.Errorf("the %s %s cannot be written: %w", object.GetObjectKind().GroupVersionKind().Kind, object.GetName(), err)
		}
		delete(content, "status")
		all = append(all, &unstructured.Unstructured{Object: content})
	}
	return all, nil
}

// Health implements component.Component. It is that of the Deployment.
func (Managed) Health(live []*unstructured.Unstructured) component.Health {
	for _, object := range live {
		if object.GetKind() != "Deployment" {
			continue
		}
		available, _, _ := unstructured.NestedInt64(object.Object, "status", "availableReplicas")
		observed, _, _ := unstructured.NestedInt64(object.Object, "status", "observedGeneration")
		if available > 0 && observed >= object.GetGeneration() {
			return component.Health{Ready: true}
		}
		return component.Health{Message: fmt.Sprintf("the Deployment %s/%s has no ready pod%s", object.GetNamespace(), object.GetName(), reasonOf(object))}
	}
	return component.Health{Message: "the Deployment " + Name + " does not exist"}
}

// reasonOf returns the messages of conditions that explain why a Deployment has no pods, such as a quota.
func reasonOf(deployment *unstructured.Unstructured) (reason string) {
	conditions, _, _ := unstructured.NestedSlice(deployment.Object, "status", "conditions")
	for _, c := range conditions {
		condition, _ := c.(map[string]any)
		failed := condition["type"] == "ReplicaFailure" && condition["status"] == "True" || condition["type"] == "Progressing" && condition["status"] == "False"
		if message, _ := condition["message"].(string); failed && message != "" {
			reason += ": " + message
		}
	}
	return reason
}
