package authz

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// EffectiveProtocol is the protocol that the sidecars of servers use for the container port behind a Service port. Several ports, also of different
// Services, may target one container port. A declared HTTP has precedence, because only HTTP requests are authorized: a second Service with the
// protocol tcp must not bypass the rules for requests. A declared TCP protocol has precedence over one that is HTTP only because nothing declares it.
func EffectiveProtocol(v *catalog.View, service *inventory.Service, port inventory.Port) inventory.Protocol {
	protocol, _ := decidingPort(v, service, port)
	return protocol
}

// ProtocolConflict is a port with another effective protocol than its own.
type ProtocolConflict struct {
	Port      inventory.Port
	Effective inventory.Protocol
	// By is the Service whose port for the same container port decides.
	By entity.Name
}

// ProtocolConflicts returns the ports of a Service on which requests or connections as its own protocol has them may fail: another port decides for both.
func ProtocolConflicts(v *catalog.View, service *inventory.Service) []ProtocolConflict {
	var found []ProtocolConflict
	for _, port := range service.Ports {
		if effective, by := decidingPort(v, service, port); effective.IsHTTP() != port.Protocol.IsHTTP() {
			found = append(found, ProtocolConflict{Port: port, Effective: effective, By: by})
		}
	}
	return found
}

// decidingPort returns the effective protocol of a port, and the Service that declares it.
func decidingPort(v *catalog.View, service *inventory.Service, port inventory.Port) (inventory.Protocol, entity.Name) {
	if port.Protocol.IsHTTP() && !port.Assumed {
		return port.Protocol, service.Name
	}
	http, tcp := declaredProtocols(v, service, v.TargetPorts(service, port))
	switch {
	case len(http) > 0 && port.Protocol.IsHTTP():
		return port.Protocol, service.Name
	case len(http) > 0:
		return http[0].protocol, http[0].service
	case len(tcp) > 0 && port.Assumed:
		return tcp[0].protocol, tcp[0].service
	}
	return port.Protocol, service.Name
}

// declaration is a protocol that a port of a Service declares.
type declaration struct {
	service  entity.Name
	protocol inventory.Protocol
}

// declaredProtocols returns the declarations for some container ports of the pods of a Service: its own first, then those of others by name.
func declaredProtocols(v *catalog.View, service *inventory.Service, targets []uint16) (http, tcp []declaration) {
	for _, name := range append([]entity.Name{service.Name}, v.Sharing(service.Name)...) {
		other := v.Service(name)
		if other == nil {
			continue
		}
		for _, port := range other.Ports {
			if port.Assumed || !slices.ContainsFunc(v.TargetPorts(other, port), func(target uint16) bool { return slices.Contains(targets, target) }) {
				continue
			}
			if d := (declaration{name, port.Protocol}); port.Protocol.IsHTTP() {
				http = append(http, d)
			} else {
				tcp = append(tcp, d)
			}
		}
	}
	return http, tcp
}
