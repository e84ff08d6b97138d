package analyze

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// declaredPorts reports target ports of Services that no container of their pods declares.
func (a *analysis) declaredPorts() {
	pods := podsByNamespace(a.mesh.Objects)
	for _, service := range entries[*inventory.Service](a) {
		if !a.view.InMesh(service.Name.Namespace) || len(service.Selector) == 0 {
			continue
		}
		declared, selected := declaredBy(service, pods[service.Name.Namespace])
		for _, port := range service.Ports {
			if text := undeclared(port, declared, selected); text != "" {
				a.add(codeUndeclaredPort, a.subject(entity.KindService, service.Name), "%s", text)
			}
		}
	}
}

// UndeclaredPort returns why an application may not listen on a port of a Service: no container of its pods declares the targetPort. It is empty
// if one does, or if nothing is known. The objects are those of the mesh.
func UndeclaredPort(objects []*unstructured.Unstructured, service *inventory.Service, number uint16) string {
	if service == nil || len(service.Selector) == 0 {
		return ""
	}
	declared, selected := declaredBy(service, podsByNamespace(objects)[service.Name.Namespace])
	for _, port := range service.Ports {
		if port.Number == number {
			return undeclared(port, declared, selected)
		}
	}
	return ""
}

// declaredBy returns the ports that the pods of a Service declare, and whether it has pods.
func declaredBy(service *inventory.Service, pods []*corev1.Pod) (declared []corev1.ContainerPort, selected bool) {
	for _, pod := range pods {
		if labels.SelectorFromSet(service.Selector).Matches(labels.Set(pod.Labels)) {
			selected = true
			declared = append(declared, containerPorts(pod)...)
		}
	}
	return declared, selected
}

// undeclared describes one port. Containers need not declare ports, so only pods that declare others are suspicious. A name needs a declaration.
func undeclared(port inventory.Port, declared []corev1.ContainerPort, selected bool) string {
	if port.TargetPort == 0 {
		if !selected || slices.ContainsFunc(declared, func(p corev1.ContainerPort) bool { return p.Name == port.TargetName }) {
			return ""
		}
		return fmt.Sprintf("Port %d has the targetPort %s, and no container of its pods has a port of this name, so requests to it fail: write %s.",
			port.Number, port.TargetName, portsText(declared, func(p corev1.ContainerPort) string { return p.Name }))
	}
	if len(declared) == 0 || slices.ContainsFunc(declared, func(p corev1.ContainerPort) bool { return p.ContainerPort == int32(port.TargetPort) }) {
		return ""
	}
	return fmt.Sprintf("Port %d has the targetPort %d, and no container of its pods declares it. If nothing listens on it, requests get status 503: write %s.",
		port.Number, port.TargetPort, portsText(declared, func(p corev1.ContainerPort) string { return fmt.Sprint(p.ContainerPort) }))
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
func podsByNamespace(objects []*unstructured.Unstructured) map[string][]*corev1.Pod {
	pods := map[string][]*corev1.Pod{}
	for _, object := range objects {
		if object.GetKind() != "Pod" || object.GetDeletionTimestamp() != nil {
			continue
		}
		pod := &corev1.Pod{}
		isRead := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, pod) == nil
		if isRead && pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed {
			pods[pod.Namespace] = append(pods[pod.Namespace], pod)
		}
	}
	return pods
}

// containerPorts returns the TCP ports that the containers of an application declare.
func containerPorts(pod *corev1.Pod) []corev1.ContainerPort {
	var ports []corev1.ContainerPort
	for _, container := range slices.Concat(pod.Spec.Containers, pod.Spec.InitContainers) {
		for _, port := range container.Ports {
			if !names.IsSlot(container.Name) && (port.Protocol == "" || port.Protocol == corev1.ProtocolTCP) {
				ports = append(ports, port)
			}
		}
	}
	return ports
}
