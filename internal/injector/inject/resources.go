package inject

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// defaultRequests returns what a sidecar requests of a resource for which neither the MeshConfig nor a LimitRange has a value. A HorizontalPodAutoscaler on
// utilization needs requests of every container. They are close to what a sidecar uses, so that the utilization of the pod stays that of its application.
func defaultRequests() corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse("64Mi")}
}

// sidecarResources returns the resources of every injected container, of which only the sidecar keeps running. osm-init runs alone before it, so with the same
// resources it adds nothing to what a pod requests, keeps a Guaranteed pod Guaranteed, and fits wherever the sidecar fits.
func sidecarResources(pod *corev1.Pod, ns Namespace, declared corev1.ResourceRequirements) corev1.ResourceRequirements {
	out := *declared.DeepCopy()
	for name, request := range defaultRequests() {
		_, requested := out.Requests[name]
		_, limited := out.Limits[name]
		if requested || limited || slices.Contains(ns.LimitedResources, name) {
			continue
		}
		if out.Requests == nil {
			out.Requests = corev1.ResourceList{}
		}
		out.Requests[name] = request
	}
	return fitResources(pod, out)
}

// fitResources omits resources that the pod declares for all its containers together, and lowers requests above their limits. A LimitRange may have
// added the limits.
func fitResources(pod *corev1.Pod, r corev1.ResourceRequirements) corev1.ResourceRequirements {
	out := *r.DeepCopy()
	maps.DeleteFunc(out.Requests, func(name corev1.ResourceName, _ resource.Quantity) bool { return isOfPod(pod, name) })
	maps.DeleteFunc(out.Limits, func(name corev1.ResourceName, _ resource.Quantity) bool { return isOfPod(pod, name) })
	for name, limit := range out.Limits {
		if request, requested := out.Requests[name]; requested && request.Cmp(limit) > 0 {
			out.Requests[name] = limit
		}
	}
	return out
}

// isOfPod reports whether a pod declares a resource for all its containers together.
func isOfPod(pod *corev1.Pod, name corev1.ResourceName) bool {
	if pod.Spec.Resources == nil {
		return false
	}
	_, requested := pod.Spec.Resources.Requests[name]
	_, limited := pod.Spec.Resources.Limits[name]
	return requested || limited
}

// cpuLimit returns the CPU that a container with these resources may use; it is zero without a limit.
func cpuLimit(pod *corev1.Pod, r corev1.ResourceRequirements) resource.Quantity {
	if limit, limited := r.Limits[corev1.ResourceCPU]; limited || pod.Spec.Resources == nil {
		return limit
	}
	return pod.Spec.Resources.Limits[corev1.ResourceCPU]
}

// memoryEnv passes the memory limit of a sidecar to osm-init, if it has one. The kubelet has the value, because other admission steps may change it later.
// Both slots have the same limit, and one bootstrap.
func memoryEnv(sidecar corev1.ResourceRequirements) []corev1.EnvVar {
	if _, limited := sidecar.Limits[corev1.ResourceMemory]; !limited {
		return nil
	}
	return []corev1.EnvVar{{Name: names.MemoryLimitEnv, ValueFrom: &corev1.EnvVarSource{
		ResourceFieldRef: &corev1.ResourceFieldSelector{ContainerName: names.SidecarContainer, Resource: "limits.memory", Divisor: resource.MustParse("1")},
	}}}
}
