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
	// Their limits become requests. osm-init runs before all others, so it adds nothing to what the pod requests as long as it has no more than they have together.
	least, total := resource.MustParse("100m"), resource.Quantity{}
	for _, c := range slices.Concat(pod.Spec.Containers, sidecars) {
		total.Add(*c.Resources.Limits.Cpu())
	}
	for i := range added {
		if !isInit(added[i]) {
			continue
		}
		limits := added[i].Resources.Limits
		switch cpu := limits.Cpu(); {
		case added[i].Name != names.InitContainer || total.Cmp(least) < 0:
			limits[corev1.ResourceCPU] = least
		case cpu.Cmp(total) > 0:
			limits[corev1.ResourceCPU] = total
		}
		added[i].Resources.Requests = limits.DeepCopy()
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
