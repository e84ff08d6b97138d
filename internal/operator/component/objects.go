package component

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
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
		maps.Copy(labels, object.GetLabels())
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

// UserLabels are declared labels except those that the operator sets itself.
func UserLabels(mesh *v1alpha1.Mesh, declared map[string]string) map[string]string {
	labels := maps.Clone(declared)
	for key := range operand.Labels(mesh.Name, "any") {
		delete(labels, key)
	}
	return labels
}

// Namespace returns the namespace of the control plane of a Mesh.
func Namespace(mesh *v1alpha1.Mesh) string {
	return cmp.Or(ptr.Deref(mesh.Spec.Namespace, ""), names.DefaultNamespace)
}

// ConfigHashAnnotation on a pod template restarts the pods when its value changes.
const ConfigHashAnnotation = "operator.openservicemesh.io/config-hash"

// ConfigHash changes with the content of ConfigMaps.
func ConfigHash(configs ...*corev1.ConfigMap) string {
	sum := sha256.New()
	for _, config := range configs {
		for _, file := range slices.Sorted(maps.Keys(config.Data)) {
			fmt.Fprintf(sum, "%s\n%s\n", file, config.Data[file])
		}
	}
	return hex.EncodeToString(sum.Sum(nil))[:16]
}

// PodSecurity is the security context of a pod of a component, whose image runs as a user. With ContainerSecurity, the pod fulfils the Pod
// Security Standard "restricted".
func PodSecurity(user int64) *corev1.PodSecurityContext {
	return &corev1.PodSecurityContext{
		RunAsNonRoot: ptr.To(true), RunAsUser: &user, RunAsGroup: &user, FSGroup: &user,
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
}

// ContainerSecurity is the security context of a container of a component. Its root file system is read-only.
func ContainerSecurity() *corev1.SecurityContext {
	return &corev1.SecurityContext{
		AllowPrivilegeEscalation: ptr.To(false), ReadOnlyRootFilesystem: ptr.To(true),
		Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
}

// Resources are requests of CPU and memory, and a limit of memory; empty for none.
func Resources(cpu, memory, memoryLimit string) corev1.ResourceRequirements {
	r := corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory)},
	}
	if memoryLimit != "" {
		r.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(memoryLimit)}
	}
	return r
}

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
