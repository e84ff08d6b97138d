package catalog

import (
	"maps"
	"slices"
)

// portName is a name by which a Service refers to ports of its pods. The number can differ between pods, for example during a rollout
// that changes it.
type portName struct {
	service Name
	name    string
}

// countTargetPorts counts the numbers of a pod for the named target ports of a Service that selects it.
func (c *Catalog) countTargetPorts(service *Service, pod *Pod, delta int) {
	if pod.Finished {
		return
	}
	for _, port := range service.Ports {
		if number, ok := pod.targetPort(port); ok && port.TargetPort == 0 {
			c.targetPorts.add(portName{service.Name, port.TargetName}, number, delta)
		}
	}
}

// targetPort returns the container port of a pod behind a Service's port.
func (p *Pod) targetPort(port Port) (uint16, bool) {
	if port.TargetPort != 0 {
		return port.TargetPort, true
	}
	number, ok := p.Ports[port.TargetName]
	return number, ok
}

// TargetPort returns the container port behind a Service's port. A name can have several numbers: the lowest is returned. 0 means that the
// number is not known yet.
func (v *View) TargetPort(service *Service, port Port) uint16 {
	if port.TargetPort != 0 {
		return port.TargetPort
	}
	if numbers := v.TargetPorts(service, port); len(numbers) > 0 {
		return numbers[0]
	}
	return 0
}

// TargetPorts returns the container ports behind a Service's port, sorted: those of its pods, or else of its endpoints.
func (v *View) TargetPorts(service *Service, port Port) []uint16 {
	if port.TargetPort != 0 {
		return []uint16{port.TargetPort}
	}
	v.deps.add(DepEndpoints, service.Name)
	if numbers := v.catalog.targetPorts[portName{service.Name, port.TargetName}]; len(numbers) > 0 {
		return slices.Sorted(maps.Keys(numbers))
	}
	var numbers []uint16
	for _, slice := range find[*EndpointSlice](v, KindEndpointSlice, Dep{DepEndpoints, service.Name}) {
		if number, ok := slice.Ports[port.Name]; ok {
			numbers = append(numbers, number)
		}
	}
	slices.Sort(numbers)
	return slices.Compact(numbers)
}

// NamedPort is the number that a pod has for a named target port of a Service.
type NamedPort struct {
	Service Name
	// Port is the name of the Service's port.
	Port   string
	Number uint16
}

// NamedPorts returns the numbers of a pod for the named target ports of the Services that select it, in their order. It records no
// dependency: callers also call ServicesOfPod, which a change of a Service affects.
func (v *View) NamedPorts(pod *Pod, services []Name) []NamedPort {
	var list []NamedPort
	for _, name := range services {
		service, ok := get[*Service](v.catalog, KindService, name)
		if !ok {
			continue
		}
		for _, port := range service.Ports {
			if number, ok := pod.targetPort(port); ok && port.TargetPort == 0 {
				list = append(list, NamedPort{name, port.Name, number})
			}
		}
	}
	return list
}
