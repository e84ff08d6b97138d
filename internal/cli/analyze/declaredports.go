package analyze

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// declaredPorts reports target ports of Services that no container of their pods declares.
func (a *analysis) declaredPorts() {
	pods := a.podsByNamespace()
	for _, service := range entries[*catalog.Service](a) {
		if !a.view.InMesh(service.Name.Namespace) || len(service.Selector) == 0 {
			continue
		}
		var declared []corev1.ContainerPort
		selected := false
		for _, pod := range pods[service.Name.Namespace] {
			if labels.SelectorFromSet(service.Selector).Matches(labels.Set(pod.Labels)) {
				selected = true
				declared = append(declared, containerPorts(pod)...)
			}
		}
		for _, port := range service.Ports {
			a.declaredPort(service, port, declared, selected)
		}
	}
}

// declaredPort reports one port. Containers need not declare ports, so only pods that declare others are suspicious. A name needs a declaration.
func (a *analysis) declaredPort(service *catalog.Service, port catalog.Port, declared []corev1.ContainerPort, selected bool) {
	s := a.subject(catalog.KindService, service.Name)
	if port.TargetPort == 0 {
		named := slices.ContainsFunc(declared, func(p corev1.ContainerPort) bool { return p.Name == port.TargetName })
		if selected && !named {
			a.add(codeUndeclaredPort, s, "Port %d has the targetPort %s, and no container of its pods has a port of this name, so requests to it fail: write one of %s.",
				port.Number, port.TargetName, portsText(declared, func(p corev1.ContainerPort) string { return p.Name }))
		}
		return
	}
	if len(declared) > 0 && !slices.ContainsFunc(declared, func(p corev1.ContainerPort) bool { return p.ContainerPort == int32(port.TargetPort) }) {
		a.add(codeUndeclaredPort, s, "Port %d has the targetPort %d, and no container of its pods declares it. If nothing listens on it, requests get status 503: write one of %s.",
			port.Number, port.TargetPort, portsText(declared, func(p corev1.ContainerPort) string { return fmt.Sprint(p.ContainerPort) }))
	}
}

// portsText lists ports without empty texts, sorted.
func portsText(ports []corev1.ContainerPort, text func(corev1.ContainerPort) string) string {
	var all []string
	for _, port := range ports {
		if t := text(port); t != "" && !slices.Contains(all, t) {
			all = append(all, t)
		}
	}
	slices.Sort(all)
	if len(all) == 0 {
		return "the ports of the application"
	}
	return orText(all)
}

// podsByNamespace returns the pods that run, by namespace.
func (a *analysis) podsByNamespace() map[string][]*corev1.Pod {
	pods := map[string][]*corev1.Pod{}
	for _, object := range a.mesh.Objects {
		if object.GetKind() != "Pod" || object.GetDeletionTimestamp() != nil {
			continue
		}
		if pod := readPod(object); pod != nil && pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed {
			pods[pod.Namespace] = append(pods[pod.Namespace], pod)
		}
	}
	return pods
}

// readPod reads a pod, or returns nil if it is malformed.
func readPod(object *unstructured.Unstructured) *corev1.Pod {
	pod := &corev1.Pod{}
	if runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, pod) != nil {
		return nil
	}
	return pod
}

// containerPorts returns the TCP ports that the containers of an application declare.
func containerPorts(pod *corev1.Pod) []corev1.ContainerPort {
	var ports []corev1.ContainerPort
	for _, container := range slices.Concat(pod.Spec.Containers, pod.Spec.InitContainers) {
		for _, port := range container.Ports {
			if container.Name != names.SidecarContainer && (port.Protocol == "" || port.Protocol == corev1.ProtocolTCP) {
				ports = append(ports, port)
			}
		}
	}
	return ports
}
