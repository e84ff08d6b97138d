package ingest

import (
	corev1 "k8s.io/api/core/v1"
)

// warnAboutIgnoredFields warns about fields with which a Service without the mesh selects its pods in another way than sidecars do.
func warnAboutIgnoredFields(service *corev1.Service, found *Problems) {
	spec := service.Spec
	if spec.SessionAffinity == corev1.ServiceAffinityClientIP {
		found.Warn(ReasonUnsupported, "spec.sessionAffinity is ClientIP, which sidecars do not follow: requests of one client go to several pods. Use sessionPersistence of an HTTPRoute for HTTP.")
	}
	if policy := spec.InternalTrafficPolicy; policy != nil && *policy == corev1.ServiceInternalTrafficPolicyLocal {
		found.Warn(ReasonUnsupported, "spec.internalTrafficPolicy is Local, which sidecars do not follow: requests go to pods on all nodes. "+
			"To reach the pod on the same node, exclude the Service from the redirection of its clients.")
	}
	if spec.TrafficDistribution != nil && *spec.TrafficDistribution != "" {
		found.Warn(ReasonUnsupported, "spec.trafficDistribution is %.40q, which sidecars do not follow: requests go to pods in all zones.", *spec.TrafficDistribution)
	}
	for _, annotation := range []string{corev1.AnnotationTopologyMode, corev1.DeprecatedAnnotationTopologyAwareHints} {
		if value := service.Annotations[annotation]; value != "" && value != "Disabled" && value != "disabled" {
			found.Warn(ReasonUnsupported, "The annotation %s is %.40q, which sidecars do not follow: requests go to pods in all zones.", annotation, value)
		}
	}
}
