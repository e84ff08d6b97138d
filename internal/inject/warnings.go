package inject

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/internal/names"
)

// Warnings are sentences for whoever creates a pod that gets a sidecar: what will not work, and what is not protected.
func Warnings(pod *corev1.Pod, ns Namespace) []string {
	var warnings []string
	const enforce = "pod-security.kubernetes.io/enforce"
	if level := ns.Labels[enforce]; level == "baseline" || level == "restricted" {
		warnings = append(warnings, fmt.Sprintf("namespace %s has the label %s=%s, which forbids the capability NET_ADMIN that the init container %s needs: "+
			"the pod will be refused unless the level is privileged", ns.Name, enforce, level, names.InitContainer))
	}
	for _, annotation := range []string{
		names.InboundPortExclusionAnnotation, names.OutboundPortExclusionAnnotation,
		names.OutboundIPRangeExclusionAnnotation, names.OutboundIPRangeInclusionAnnotation,
	} {
		if value := pod.Annotations[annotation]; value != "" {
			warnings = append(warnings, fmt.Sprintf("the annotation %s=%s lets traffic pass by the mesh, without its policies and encryption", annotation, value))
		}
	}
	for c := range containers(pod) {
		if c.Name != names.InitContainer && canChangeNetwork(c.SecurityContext) {
			warnings = append(warnings, fmt.Sprintf("the container %s may change the pod's network and so take its traffic out of the mesh: "+
				"remove NET_ADMIN and privileged unless it needs them", c.Name))
		}
	}
	return warnings
}

func canChangeNetwork(security *corev1.SecurityContext) bool {
	if security == nil {
		return false
	}
	if security.Privileged != nil && *security.Privileged {
		return true
	}
	return security.Capabilities != nil && slices.ContainsFunc(security.Capabilities.Add, func(c corev1.Capability) bool {
		return c == "NET_ADMIN" || c == "CAP_NET_ADMIN" || c == "ALL"
	})
}
