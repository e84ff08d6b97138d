package authz

import "github.com/openservicemesh/osm-operator/internal/catalog"

// Door is what the sidecars of a Service take the container port behind one of its ports for. Several ports may lead to one
// container port, which then has one set of rules: HTTP when any of the ports says so, because only then requests are authorised.
func Door(v *catalog.View, service *catalog.Service, port catalog.Port) catalog.Protocol {
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
