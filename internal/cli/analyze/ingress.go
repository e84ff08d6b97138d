package analyze

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// ingress analyzes the backends and gateways of IngressBackends.
func (a *analysis) ingress() {
	for _, policy := range entries[*catalog.IngressBackend](a) {
		s := a.subject(catalog.KindIngressBackend, policy.Name)
		for _, port := range policy.Backends {
			a.ingressPort(s, port)
		}
		for _, gateway := range policy.Gateways {
			if a.missing(catalog.KindService, gateway) {
				a.add(codeNoGateway, s, "Service %s not found in namespace %s, so connections from its pods are rejected: correct spec.sources.", gateway.Name, gateway.Namespace)
			}
		}
		if !a.view.Settings().IngressBackends && (!a.mesh.Partial || a.configured()) {
			a.add(codeIngressOff, s, "IngressBackend policies are disabled: set spec.featureFlags.enableIngressBackendPolicy to true in the MeshConfig.")
		}
	}
}

func (a *analysis) ingressPort(s subject, port catalog.IngressPort) {
	if a.missing(catalog.KindService, port.Service) {
		a.add(codeNoIngressPort, s, "Service %s not found in namespace %s: correct spec.backends.", port.Service.Name, port.Service.Namespace)
		return
	}
	service := a.view.Service(port.Service)
	if service == nil {
		return
	}
	hasPort := slices.ContainsFunc(service.Ports, func(p catalog.Port) bool {
		target := a.view.TargetPort(service, p)
		return target == port.TargetPort || target == 0
	})
	if !hasPort {
		a.add(codeNoIngressPort, s, "Service %s has no targetPort %d: set port.number to the port of the pods, not of the Service.", service.Name.Name, port.TargetPort)
	}
}
