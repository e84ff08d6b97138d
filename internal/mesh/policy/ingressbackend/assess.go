package ingressbackend

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/finding"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// Assess returns what people should know about a policy.
func Assess(v *catalog.View, policy *Policy) []finding.Finding {
	found := lists.FlatMap(policy.Backends, func(port Port) []finding.Finding { return conflicts(v, policy, port) })
	found = append(found, lists.FlatMap(policy.Backends, func(port Port) []finding.Finding { return unknownPort(v, port) })...)
	for _, gateway := range policy.Gateways {
		if !v.Exists(finding.Service(gateway)) {
			found = append(found, finding.NotFound(finding.NoGateway, finding.Service(gateway), "Service %s of spec.sources does not exist, so its clients are not admitted: create it, or correct the name.", gateway))
		}
	}
	return append(found, finding.RouteGroups(v, policy.Name.Namespace, policy.RouteGroups)...)
}

// conflicts returns the policies that open a container port instead: for the same Service, or for another one of the same pods.
func conflicts(v *catalog.View, policy *Policy, port Port) []finding.Finding {
	if winner, _ := InForce(v, port.Service, port.TargetPort); winner != nil && winner.Name != policy.Name {
		return []finding.Finding{finding.NewConflict(winner.Ref(),
			"IngressBackend %s is older and already opens port %d of Service %s, so this one has no effect there: merge them into one.", winner.Name, port.TargetPort, port.Service)}
	}
	var found []finding.Finding
	for _, name := range v.Sharing(port.Service) {
		winner, _ := InForce(v, name, port.TargetPort)
		if winner != nil && winner.Name != policy.Name && winner.Precedes(policy) && leadsTo(v, name, port.TargetPort) {
			found = append(found, finding.NewConflict(winner.Ref(),
				"IngressBackend %s is older and already opens port %d of the pods that Services %s and %s have in common, so this one has no effect on them: merge them into one.",
				winner.Name, port.TargetPort, name, port.Service))
		}
	}
	return found
}

// leadsTo reports whether a Service leads to a container port.
func leadsTo(v *catalog.View, name entity.Name, number uint16) bool {
	service := v.Service(name)
	return service != nil && slices.ContainsFunc(service.Ports, func(p inventory.Port) bool { return slices.Contains(v.TargetPorts(service, p), number) })
}

// unknownPort returns why nobody reaches a port: its Service does not exist, or does not lead to it.
func unknownPort(v *catalog.View, port Port) []finding.Finding {
	if !v.Exists(finding.Service(port.Service)) {
		return []finding.Finding{finding.NotFound(finding.NoIngressPort, finding.Service(port.Service), "Service %s does not exist, so nobody is admitted to it: create it, or correct the name.", port.Service)}
	}
	service := v.AnyService(port.Service)
	if service == nil || mayHaveTargetPort(service, port.TargetPort) {
		return nil
	}
	known := lists.Map(service.Ports, func(p inventory.Port) uint16 { return p.TargetPort })
	return []finding.Finding{finding.NotFound(finding.NoIngressPort, entity.Ref{}, "Service %s has no targetPort %d, so nobody is admitted to it: write one of its target ports, %s.", port.Service, port.TargetPort, finding.Numbers(known))}
}

// mayHaveTargetPort reports whether a Service may have a target port. The number of a named port depends on the pods, and without a selector the number of
// any port on EndpointSlices.
func mayHaveTargetPort(service *inventory.Service, number uint16) bool {
	return !service.HasSelector() || slices.ContainsFunc(service.Ports, func(p inventory.Port) bool { return p.TargetName != "" || p.TargetPort == number })
}
