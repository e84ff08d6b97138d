package dataplane

import (
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// strip removes the fields that this package does not read. A cluster has many pods and workloads.
func strip(object any) (any, error) {
	switch o := object.(type) {
	case *corev1.Pod:
		stripMeta(&o.ObjectMeta)
		o.Spec = corev1.PodSpec{ServiceAccountName: o.Spec.ServiceAccountName, Containers: sidecarOnly(o.Spec.Containers), InitContainers: sidecarOnly(o.Spec.InitContainers)}
		o.Status = corev1.PodStatus{Phase: o.Status.Phase, Conditions: readyOnly(o.Status.Conditions)}
	case *appsv1.Deployment:
		stripMeta(&o.ObjectMeta)
		stripTemplate(&o.Spec.Template)
	case *appsv1.StatefulSet:
		stripMeta(&o.ObjectMeta)
		stripTemplate(&o.Spec.Template)
		o.Spec.VolumeClaimTemplates = nil
	case *appsv1.DaemonSet:
		stripMeta(&o.ObjectMeta)
		stripTemplate(&o.Spec.Template)
	}
	return object, nil
}

func stripMeta(meta *metav1.ObjectMeta) {
	meta.ManagedFields, meta.Annotations = nil, nil
}

// stripTemplate keeps the labels, which PodDisruptionBudgets select by, and the operator's annotation.
func stripTemplate(template *corev1.PodTemplateSpec) {
	template.Spec = corev1.PodSpec{}
	maps.DeleteFunc(template.Annotations, func(key, _ string) bool { return key != names.RestartAnnotation })
}

// sidecarOnly keeps the name and the restart policy of a sidecar.
func sidecarOnly(containers []corev1.Container) []corev1.Container {
	for _, c := range containers {
		if c.Name == names.SidecarContainer {
			return []corev1.Container{{Name: c.Name, RestartPolicy: c.RestartPolicy}}
		}
	}
	return nil
}

func readyOnly(conditions []corev1.PodCondition) []corev1.PodCondition {
	for _, c := range conditions {
		if c.Type == corev1.PodReady {
			return []corev1.PodCondition{c}
		}
	}
	return nil
}
