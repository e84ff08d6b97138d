package authz

import "github.com/openservicemesh/osm-operator/internal/catalog"

// EffectiveProtocol is the protocol that sidecars use for the container port behind a Service port. Several ports may
// target one container port, which then has one set of rules. HTTP wins if any of the ports uses it, because only HTTP
// requests are authorized.
func EffectiveProtocol(v *catalog.View, service *catalog.Service, port catalog.Port) catalog.Protocol {
	if port.Protocol.IsHTTP() {
		return port.Protocol
	}
	target := v.TargetPort(service, port)
	for _, other := range service.Ports {
		if other.Protocol.IsHTTP() && v.TargetPort(service, other) == target {
			return other.Protocol
		}
	}
	return port.Protocol
}
