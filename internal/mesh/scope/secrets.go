package scope

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
)

// HasUnreadSecrets reports whether a gateway refers to Secrets that were not read yet. A Secret that does not exist was read.
func HasUnreadSecrets(v *catalog.View, proxy Proxy) bool {
	switch proxy {
	case ProxyIngressGateway:
		return slices.ContainsFunc(gateway.Certificates(v), func(name catalog.Name) bool { return v.GatewayCertificate(name) == nil })
	case ProxyEgressGateway:
		return slices.ContainsFunc(v.GatewayEgresses(), func(e *catalog.Egress) bool {
			name, needed := e.Credential()
			return needed && v.EgressCredential(name) == nil
		})
	}
	return false
}
