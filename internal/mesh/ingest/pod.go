package ingest

import (
	"net/netip"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/workload"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Pod reads a pod. The entry shares the pod's label map, which must not change afterwards.
func Pod(pod *corev1.Pod) *catalog.Pod {
	metrics, _ := strconv.ParseBool(pod.Annotations[names.ScrapeAnnotation])
	entry := &catalog.Pod{
		Name:           catalog.Name{Namespace: pod.Namespace, Name: pod.Name},
		UID:            string(pod.UID),
		ServiceAccount: pod.Spec.ServiceAccountName,
		IPs:            podIPs(pod),
		Labels:         pod.Labels,
		Workload:       catalog.Workload(workload.Of(pod)),
		Ports:          namedPorts(pod),
		Injected:       IsInjected(pod),
		Revision:       pod.Labels[names.RevisionLabel],
		Metrics:        metrics,
		Finished:       pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed,
	}
	if entry.ServiceAccount == "" {
		entry.ServiceAccount = "default"
	}
	entry.OSMSidecar = !entry.Injected && pod.Labels[names.ProxyUUIDLabel] != "" && slices.ContainsFunc(pod.Spec.Containers, isSidecar)
	return entry
}

// IsInjected reports whether a pod has the sidecar of this operator: an init container that keeps running. Labels and other containers
// of the same name are no evidence, because the author of a pod writes them.
func IsInjected(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Spec.InitContainers, func(c corev1.Container) bool {
		return isSidecar(c) && c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
	})
}

func isSidecar(c corev1.Container) bool { return c.Name == names.SidecarContainer }

// podIPs are the pod's own addresses. A pod in the host network has none, because the node's addresses are shared.
func podIPs(pod *corev1.Pod) []netip.Addr {
	if pod.Spec.HostNetwork {
		return nil
	}
	var all []netip.Addr
	for _, ip := range pod.Status.PodIPs {
		if address, err := netip.ParseAddr(ip.IP); err == nil {
			all = append(all, address.Unmap())
		}
	}
	return all
}

// namedPorts maps names of TCP ports to numbers. Of several ports with one name the first counts, application
// containers before init containers, as when Kubernetes resolves a named target port.
func namedPorts(pod *corev1.Pod) map[string]uint16 {
	var ports map[string]uint16
	for _, container := range slices.Concat(pod.Spec.Containers, pod.Spec.InitContainers) {
		if isSidecar(container) {
			continue
		}
		for _, port := range container.Ports {
			if port.Name == "" || (port.Protocol != "" && port.Protocol != corev1.ProtocolTCP) || names.IsReservedPort(uint16(port.ContainerPort)) {
				continue
			}
			if _, taken := ports[port.Name]; taken {
				continue
			}
			if ports == nil {
				ports = map[string]uint16{}
			}
			ports[port.Name] = uint16(port.ContainerPort)
		}
	}
	return ports
}

// StripPod returns a copy of a pod with only the fields that Pod and caches need, to keep the cache of a large cluster
// small.
func StripPod(pod *corev1.Pod) *corev1.Pod {
	stripped := &corev1.Pod{TypeMeta: pod.TypeMeta}
	stripped.Name, stripped.Namespace, stripped.UID = pod.Name, pod.Namespace, pod.UID
	stripped.ResourceVersion, stripped.Labels = pod.ResourceVersion, pod.Labels
	stripped.DeletionTimestamp = pod.DeletionTimestamp
	if owner := metav1.GetControllerOf(pod); owner != nil {
		stripped.OwnerReferences = []metav1.OwnerReference{{Kind: owner.Kind, Name: owner.Name, Controller: owner.Controller}}
	}
	if scrape, ok := pod.Annotations[names.ScrapeAnnotation]; ok {
		stripped.Annotations = map[string]string{names.ScrapeAnnotation: scrape}
	}
	stripped.Spec.ServiceAccountName = pod.Spec.ServiceAccountName
	stripped.Spec.HostNetwork = pod.Spec.HostNetwork
	stripped.Spec.Containers = stripContainers(pod.Spec.Containers)
	stripped.Spec.InitContainers = stripContainers(pod.Spec.InitContainers)
	stripped.Status.Phase = pod.Status.Phase
	stripped.Status.PodIPs = pod.Status.PodIPs
	return stripped
}

// stripContainers keeps the sidecar and containers with named ports, with only their names, restart policies and named ports.
func stripContainers(containers []corev1.Container) []corev1.Container {
	var all []corev1.Container
	for _, c := range containers {
		var ports []corev1.ContainerPort
		for _, port := range c.Ports {
			if port.Name != "" {
				ports = append(ports, port)
			}
		}
		if isSidecar(c) || len(ports) > 0 {
			all = append(all, corev1.Container{Name: c.Name, Ports: ports, RestartPolicy: c.RestartPolicy})
		}
	}
	return all
}
