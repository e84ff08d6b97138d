package catalog

import (
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// routesPort reports whether routes of a kind apply to ports with the protocol of a port.
func routesPort(kind entity.Kind, port inventory.Port) bool {
	switch kind {
	case entity.KindTLSRoute:
		return port.TLS
	case entity.KindGatewayTCPRoute:
		return !port.Protocol.IsHTTP()
	default:
		return port.Protocol.IsHTTP()
	}
}
