package component

import (
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

// RollingUpdate is the strategy of Deployments whose pods share no volume. An earlier pod stops after a new one is ready, so it keeps serving
// if the new image is bad.
func RollingUpdate() appsv1.DeploymentStrategy {
	return appsv1.DeploymentStrategy{
		Type:          appsv1.RollingUpdateDeploymentStrategyType,
		RollingUpdate: &appsv1.RollingUpdateDeployment{MaxUnavailable: ptr.To(intstr.FromInt32(0)), MaxSurge: ptr.To(intstr.FromInt32(1))},
	}
}

// DeploymentHealth is the health of a component that is one Deployment. It is not ready if new pods cannot start, even while earlier ones serve.
func DeploymentHealth(live []*unstructured.Unstructured, name string) Health {
	for _, object := range live {
		if object.GetKind() != "Deployment" {
			continue
		}
		observed, _, _ := unstructured.NestedInt64(object.Object, "status", "observedGeneration")
		serves, failure := HasAvailablePods(object) && observed >= object.GetGeneration(), deploymentFailure(object)
		if serves && failure == "" {
			return Health{Ready: true}
		}
		text := fmt.Sprintf("the Deployment %s/%s has no ready pod", object.GetNamespace(), object.GetName())
		if serves {
			text = fmt.Sprintf("the Deployment %s/%s cannot start new pods, and the earlier ones serve", object.GetNamespace(), object.GetName())
		}
		if failure != "" {
			text += ": " + failure + "; correct the image or the settings in the Mesh, or what the events of its pods name"
		}
		return Health{Message: text}
	}
	return Health{Message: "the Deployment " + name + " does not exist"}
}

// HasAvailablePods reports whether a live Deployment has a pod that serves.
func HasAvailablePods(deployment *unstructured.Unstructured) bool {
	available, _, _ := unstructured.NestedInt64(deployment.Object, "status", "availableReplicas")
	return available > 0
}

// deploymentFailure returns why a Deployment gets no new pods, such as a quota; empty if Kubernetes reports no reason.
func deploymentFailure(deployment *unstructured.Unstructured) string {
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
