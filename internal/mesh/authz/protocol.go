package authz

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// EffectiveProtocol is the protocol that sidecars use for the container port behind a Service port. Several ports, also of
// different Services, may target one container port. HTTP wins if any of them uses it, because only HTTP requests are
// authorized: a second Service with the protocol tcp must not bypass the rules for requests.
func EffectiveProtocol(v *catalog.View, service *catalog.Service, port catalog.Port) catalog.Protocol {
	if port.Protocol.IsHTTP() {
		return port.Protocol
	}
	target := v.TargetPorts(service, port)
	if protocol, found := httpProtocol(v, service, target); found {
		return protocol
	}
	for _, name := range v.Sharing(service.Name) {
		if other := v.Service(name); other != nil {
			if protocol, found := httpProtocol(v, other, target); found {
				return protocol
			}
		}
	}
	return port.Protocol
}

// httpProtocol returns the protocol of the first HTTP port of a Service that targets one of some container ports.
func httpProtocol(v *catalog.View, service *catalog.Service, targets []uint16) (catalog.Protocol, bool) {
	for _, port := range service.Ports {
		if !port.Protocol.IsHTTP() {
			continue
		}
		for _, target := range v.TargetPorts(service, port) {
			if slices.Contains(targets, target) {
				return port.Protocol, true
			}
		}
	}
	return "", false
}
