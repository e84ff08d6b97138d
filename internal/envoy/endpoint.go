package envoy

import (
	"net/netip"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"

	"github.com/openservicemesh/osm-operator/internal/scope"
)

// locality is OSM's single zone: endpoints are not weighted by place.
const locality = "local"

// Endpoints are the addresses behind a cluster, as the cluster's EDS asks for them by its name.
func Endpoints(clusterName string, e scope.Endpoints) Resource {
	return Resource{TypeURL: EndpointType, Name: clusterName, Message: loadAssignment(clusterName, e.Addresses...)}
}

// loadAssignment without addresses has no locality at all: Envoy answers that there is no healthy upstream.
func loadAssignment(clusterName string, addresses ...netip.AddrPort) *endpointv3.ClusterLoadAssignment {
	out := &endpointv3.ClusterLoadAssignment{ClusterName: clusterName}
	if len(addresses) == 0 {
		return out
	}
	zone := &endpointv3.LocalityLbEndpoints{Locality: &corev3.Locality{Zone: locality}}
	for _, a := range addresses {
		zone.LbEndpoints = append(zone.LbEndpoints, &endpointv3.LbEndpoint{
			HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: address(a)}},
		})
	}
	out.Endpoints = []*endpointv3.LocalityLbEndpoints{zone}
	return out
}

func address(a netip.AddrPort) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address:       a.Addr().Unmap().String(),
		PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(a.Port())},
	}}}
}
