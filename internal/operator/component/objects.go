package component

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
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
