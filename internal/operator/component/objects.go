package component

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/operator/operand"
)

// Labelled converts typed objects and adds the labels of the mesh.
func Labelled(inputs Inputs, objects ...client.Object) ([]*unstructured.Unstructured, error) {
	version := ""
	if len(inputs.ControlPlanes) > 0 {
		version = inputs.ControlPlanes[0].Release.Version
	}
	var all []*unstructured.Unstructured
	for _, object := range objects {
		labels := operand.Labels(inputs.Mesh.Name, version)
		for key, value := range object.GetLabels() {
			labels[key] = value
		}
		object.SetLabels(labels)
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
		if err != nil {
			return nil, fmt.Errorf("the %s %s cannot be written: %w", object.GetObjectKind().GroupVersionKind().Kind, object.GetName(), err)
		}
		delete(content, "status")
		all = append(all, &unstructured.Unstructured{Object: content})
	}
	return all, nil
}

// DeploymentHealth is the health of a component that is one Deployment.
func DeploymentHealth(live []*unstructured.Unstructured, name string) Health {
	for _, object := range live {
		if object.GetKind() != "Deployment" {
			continue
		}
		available, _, _ := unstructured.NestedInt64(object.Object, "status", "availableReplicas")
		observed, _, _ := unstructured.NestedInt64(object.Object, "status", "observedGeneration")
		if available > 0 && observed >= object.GetGeneration() {
			return Health{Ready: true}
		}
		text := fmt.Sprintf("the Deployment %s/%s has no ready pod", object.GetNamespace(), object.GetName())
		if failure := DeploymentFailure(object); failure != "" {
			text += ": " + failure
		}
		return Health{Message: text}
	}
	return Health{Message: "the Deployment " + name + " does not exist"}
}

// DeploymentFailure returns why a Deployment gets no new pods, such as a quota; empty if Kubernetes reports no reason.
func DeploymentFailure(deployment *unstructured.Unstructured) string {
	conditions, _, _ := unstructured.NestedSlice(deployment.Object, "status", "conditions")
	var reasons []string
	for _, c := range conditions {
		condition, _ := c.(map[string]any)
		failed := condition["type"] == "ReplicaFailure" && condition["status"] == "True" || condition["type"] == "Progressing" && condition["status"] == "False"
		if message, _ := condition["message"].(string); failed && message != "" {
			reasons = append(reasons, message)
		}
	}
	return strings.Join(reasons, ": ")
}
