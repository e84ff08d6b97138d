package envoy

import (
	"fmt"
	"net/netip"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// toGatewayCluster is a destination that the egress gateway forwards to. Without a gateway it has no endpoints, and requests get status 503.
func toGatewayCluster(s *scope.Scope, d authz.GatewayDestination) *clusterv3.Cluster {
	out := newCluster(gatewayClusterName(d), clusterv3.Cluster_STATIC)
	out.AltStatName = strings.ReplaceAll(out.Name, ":", "_")
	out.Metadata = metadata(map[string]string{serviceField: d.Host})
	gateway := s.EgressGatewayService
	if gateway == nil {
		return out
	}
	out.LoadAssignment = loadAssignment(out.Name, gatewayAddresses(gateway.Addresses, s.Key.Class)...)
	server := []identity.ServiceAccount{{Namespace: gateway.Namespace, Name: names.EgressGateway}}
	out.TransportSocket = clientTLSTo(s, gatewayServerName(d), server)
	if d.Protocol == catalog.ProtocolHTTP {
		out.TypedExtensionProtocolOptions = upstreamHTTP(catalog.ProtocolHTTP, nil)
	}
	return out
}

// gatewayAddresses are the addresses that a pod can reach.
func gatewayAddresses(addresses []netip.Addr, class scope.Class) []netip.AddrPort {
	var out []netip.AddrPort
	for _, address := range addresses {
		if class.IPv6 || !address.Is6() {
			out = append(out, netip.AddrPortFrom(address, names.EgressGatewayPort))
		}
	}
	// Of two address families, one is enough.
	return out[:min(len(out), 1)]
}

// gatewayServerName is the server name by which a sidecar requests a destination of the egress gateway.
func gatewayServerName(d authz.GatewayDestination) string { return d.ID() + ".egress" }

// gatewayClusterName is the cluster of a destination of the egress gateway, in the gateway and in sidecars. The gateway waits for the
// connections of clusters with egress-tls before it stops.
func gatewayClusterName(d authz.GatewayDestination) string {
	kind := "egress-http"
	if d.Protocol == catalog.ProtocolHTTPS {
		kind = "egress-tls"
	}
	return fmt.Sprintf("%s.%s.%s:%d", kind, d.ID(), d.Host, d.Port)
}
