package inventory

import (
	"maps"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// portName is a name by which a Service refers to ports of its pods. The number can differ between pods, for example during a rollout
// that changes it.
type portName struct {
	service entity.Name
	name    string
}

// countTargetPorts counts the numbers of a pod for the named target ports of a Service that selects it.
func (inv *Inventory) countTargetPorts(service *Service, pod *Instance, delta int) {
	if pod.Finished {
		return
	}
	for _, port := range service.Ports {
		if number, ok := pod.targetPort(port); ok && port.TargetPort == 0 {
			inv.targetPorts.add(portName{service.Name, port.TargetName}, number, delta)
		}
	}
}

// TargetPort returns the container port behind a Service's port. A name can have several numbers: the lowest is returned. 0 means that the
// number is not known yet.
func (inv *Inventory) TargetPort(service *Service, port Port) uint16 {
	if port.TargetPort != 0 && service.HasSelector() {
		return port.TargetPort
	}
	if numbers := inv.TargetPorts(service, port); len(numbers) > 0 {
		return numbers[0]
	}
	return 0
}

// TargetPorts returns the container ports behind a Service's port, sorted: those of its pods, or else of its endpoints. Handwritten EndpointSlices have
// them instead of the Service.
func (inv *Inventory) TargetPorts(service *Service, port Port) []uint16 {
	if !service.HasSelector() {
		if numbers, known := inv.handwrittenPorts(service, port); known {
			return numbers
		}
	}
	if port.TargetPort != 0 {
		return []uint16{port.TargetPort}
	}
	if numbers := inv.targetPorts[portName{service.Name, port.TargetName}]; len(numbers) > 0 {
		return slices.Sorted(maps.Keys(numbers))
	}
	var numbers []uint16
	for _, slice := range inv.slicesOf(service.Name) {
		if number, ok := slice.Ports[port.Name]; ok {
			numbers = append(numbers, number)
		}
	}
	return lists.Unique(numbers)
}

// NamedPort is the number that a pod has for a named target port of a Service, or for a port of one without a selector.
type NamedPort struct {
	Service entity.Name
	// Port is the name of the Service's port.
	Port   string
	Number uint16
}

// NamedPorts returns the numbers of a pod for such ports of the Services that it is behind, in their order. It records no
// dependency: callers also call ServicesOfPod, which a change of a Service affects.
func (inv *Inventory) NamedPorts(pod *Instance, services []entity.Name) []NamedPort {
	var list []NamedPort
	for _, name := range services {
		service, ok := inv.services[name]
		if !ok {
			continue
		}
		for _, port := range service.Ports {
			for _, number := range inv.numbersOf(pod, service, port) {
				list = append(list, NamedPort{name, port.Name, number})
			}
		}
	}
	return list
}

// numbersOf returns the numbers of a pod for a port if they depend on the pod, sorted. Handwritten EndpointSlices can have several.
func (inv *Inventory) numbersOf(pod *Instance, service *Service, port Port) []uint16 {
	var numbers []uint16
	if service.HasSelector() {
		if number, ok := pod.targetPort(port); ok && port.TargetPort == 0 {
			numbers = append(numbers, number)
		}
		return numbers
	}
	for _, slice := range inv.handwrittenSlices(pod) {
		if number, ok := slice.Ports[port.Name]; ok && slice.Service == service.Name {
			numbers = append(numbers, number)
		}
	}
	return lists.Unique(numbers)
}
