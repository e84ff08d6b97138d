package assess

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

func (m Mesh) ingress(policy *catalog.IngressBackend) []Finding {
	found := m.disabled(catalog.KindIngressBackend)
	for _, port := range policy.Backends {
		found = append(found, m.ingressConflicts(policy, port)...)
	}
	for _, port := range policy.Backends {
		found = append(found, m.ingressPort(port)...)
	}
	for _, gateway := range policy.Gateways {
		if !m.View.Exists(serviceRef(gateway)) {
			found = append(found, notFound(NoGateway, serviceRef(gateway), "Service %s of spec.sources does not exist, so its clients are not admitted: create it, or correct the name.", gateway))
		}
	}
	return append(found, m.routeGroups(policy.Name.Namespace, policy.RouteGroups)...)
}

// ingressConflicts returns the policies that open a container port instead: for the same Service, or for another one of the same pods.
func (m Mesh) ingressConflicts(policy *catalog.IngressBackend, port catalog.IngressPort) []Finding {
	if winner, _ := m.View.IngressBackend(port.Service, port.TargetPort); winner != nil && winner.Name != policy.Name {
		return []Finding{conflict(winner.Ref(),
			"IngressBackend %s is older and already opens port %d of Service %s, so this one has no effect there: merge them into one.", winner.Name, port.TargetPort, port.Service)}
	}
	var found []Finding
	for _, name := range m.View.Sharing(port.Service) {
		winner, _ := m.View.IngressBackend(name, port.TargetPort)
		if winner != nil && winner.Name != policy.Name && winner.Precedes(policy) && m.leadsTo(name, port.TargetPort) {
			found = append(found, conflict(winner.Ref(),
				"IngressBackend %s is older and already opens port %d of the pods that Services %s and %s have in common, so this one has no effect on them: merge them into one.",
				winner.Name, port.TargetPort, name, port.Service))
		}
	}
	return found
}

// leadsTo reports whether a Service leads to a container port.
func (m Mesh) leadsTo(name catalog.Name, number uint16) bool {
	service := m.View.Service(name)
	return service != nil && slices.ContainsFunc(service.Ports, func(p catalog.Port) bool { return slices.Contains(m.View.TargetPorts(service, p), number) })
}

func (m Mesh) ingressPort(port catalog.IngressPort) []Finding {
	if !m.View.Exists(serviceRef(port.Service)) {
		return []Finding{notFound(NoIngressPort, serviceRef(port.Service), "Service %s does not exist, so nobody is admitted to it: create it, or correct the name.", port.Service)}
	}
	service := m.View.AnyService(port.Service)
	if service == nil || mayHaveTargetPort(service, port.TargetPort) {
		return nil
	}
	var known []uint16
	for _, p := range service.Ports {
		known = append(known, p.TargetPort)
	}
	return []Finding{notFound(NoIngressPort, catalog.Ref{}, "Service %s has no targetPort %d, so nobody is admitted to it: write one of its target ports, %s.", port.Service, port.TargetPort, numbers(known))}
}

// mayHaveTargetPort reports whether a Service may have a target port. The number of a named port depends on the pods, and without a selector the number of
// any port on EndpointSlices.
func mayHaveTargetPort(service *catalog.Service, number uint16) bool {
	return !service.HasSelector() || slices.ContainsFunc(service.Ports, func(p catalog.Port) bool { return p.TargetName != "" || p.TargetPort == number })
}
