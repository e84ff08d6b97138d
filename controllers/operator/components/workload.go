package components

import (
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
)

// isWorkload reports whether an object belongs to the pods of a component: its Deployment, and the ConfigMaps that the pods read.
func isWorkload(object *unstructured.Unstructured) bool {
	return isDeployment(object) || object.GetKind() == "ConfigMap" && object.GetAPIVersion() == "v1"
}

func isDeployment(object *unstructured.Unstructured) bool {
	return object.GetKind() == "Deployment" && object.GetAPIVersion() == "apps/v1"
}

// splitWorkload returns the Deployment of a component, its workload objects, and all others. The Deployment is nil if the component runs no pods.
func splitWorkload(objects []*unstructured.Unstructured) (deployment *unstructured.Unstructured, workload, others []*unstructured.Unstructured) {
	for _, object := range objects {
		if isDeployment(object) {
			deployment = object
		}
		if isWorkload(object) {
			workload = append(workload, object)
		} else {
			others = append(others, object)
		}
	}
	return deployment, workload, others
}

func reference(apiVersion, kind, namespace, name string) v1alpha1.ObjectReference {
	return v1alpha1.ObjectReference{APIVersion: apiVersion, Kind: kind, Namespace: namespace, Name: name}
}

// hasTemplate reports whether a live Deployment has the pod template of a rendered one.
func hasTemplate(live, rendered *unstructured.Unstructured) bool {
	template, _, _ := unstructured.NestedFieldNoCopy(rendered.Object, "spec", "template")
	return len(apply.Differences(map[string]any{"spec": map[string]any{"template": template}}, live.Object)) == 0
}

// isRolledOut reports whether all pods of a live Deployment have its template and are ready.
func isRolledOut(live *unstructured.Unstructured) bool {
	d := &appsv1.Deployment{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(live.Object, d); err != nil {
		return false
	}
	wanted, status := ptr.Deref(d.Spec.Replicas, 1), d.Status
	return status.ObservedGeneration >= d.Generation && status.UpdatedReplicas >= wanted &&
		status.Replicas <= status.UpdatedReplicas && status.AvailableReplicas >= status.UpdatedReplicas
}

// imagesOf returns the images of the Deployments among objects, sorted.
func imagesOf(objects []*unstructured.Unstructured) []string {
	images := map[string]bool{}
	for _, object := range objects {
		for _, field := range []string{"initContainers", "containers"} {
			list, _, _ := unstructured.NestedSlice(object.Object, "spec", "template", "spec", field)
			for _, c := range list {
				container, _ := c.(map[string]any)
				image, _ := container["image"].(string)
				images[image] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(images))
}
