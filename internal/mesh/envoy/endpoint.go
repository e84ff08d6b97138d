package envoy

import (
	"net/netip"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// locality is the zone of all endpoints, as in OSM: endpoints are not weighted by zone.
const locality = "local"

// Endpoints is the EDS resource of a cluster. Endpoints of one workload share their metadata.
func Endpoints(clusterName string, e scope.Endpoints) Resource {
	message := loadAssignment(clusterName, e.Addresses...)
	metadata := map[catalog.Workload]*corev3.Metadata{}
	for i, workload := range e.Workloads {
		if metadata[workload] == nil {
			metadata[workload] = workloadMetadata(workload)
		}
		message.GetEndpoints()[0].GetLbEndpoints()[i].Metadata = metadata[workload]
	}
	return Resource{TypeURL: EndpointType, Name: clusterName, Message: message}
}

// loadAssignment has no locality when there are no addresses. Envoy then answers that there is no healthy upstream.
func loadAssignment(clusterName string, addresses ...netip.AddrPort) *endpointv3.ClusterLoadAssignment {
	out := &endpointv3.ClusterLoadAssignment{ClusterName: clusterName}
	if len(addresses) == 0 {
		return out
	}
	zone := &endpointv3.LocalityLbEndpoints{Locality: &corev3.Locality{Zone: locality}}
	for _, a := range addresses {
		zone.LbEndpoints = append(zone.LbEndpoints, message.Endpoint(socketAddress(a)))
	}
	out.Endpoints = []*endpointv3.LocalityLbEndpoints{zone}
	return out
}

func socketAddress(a netip.AddrPort) *corev3.Address {
	return message.SocketAddress(a.Addr().Unmap().String(), a.Port())
}
