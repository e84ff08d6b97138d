package inject

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// keepGuaranteed keeps the quality of service of a Guaranteed pod. Kubernetes requires equal requests and limits of all containers, also of init containers.
// added are those of the injection. If the pod or the sidecar is not Guaranteed, the init containers keep requests that are smaller than their limits.
func keepGuaranteed(pod *corev1.Pod, added []corev1.Container) {
	isInit := func(c corev1.Container) bool { return !names.IsSlot(c.Name) }
	sidecars := slices.DeleteFunc(slices.Clone(added), isInit)
	for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers, sidecars) {
		if !isGuaranteed(c.Resources) {
			return
		}
	}
	for i := range added {
		if isInit(added[i]) {
			// The limit of the CPU becomes a request, so it is smaller than elsewhere: the pod must not request more for its start than for its application.
			added[i].Resources.Limits[corev1.ResourceCPU] = resource.MustParse("100m")
			added[i].Resources.Requests = added[i].Resources.Limits.DeepCopy()
		}
	}
}

// isGuaranteed reports whether a container has equal requests and limits of CPU and memory. Missing requests get the values of the limits.
func isGuaranteed(r corev1.ResourceRequirements) bool {
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		limit := r.Limits[name]
		request, requested := r.Requests[name]
		if limit.IsZero() || requested && !request.Equal(limit) {
			return false
		}
	}
	return true
}
