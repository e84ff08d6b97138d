package scope

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// importedCluster is a port of a Service of a peer as a destination. The pods are known to the peer only.
func importedCluster(backend authz.WeightedBackend, version HTTPVersion, settings *Upstream) Cluster {
	service, imported := backend.Service.Name, backend.Imported
	return Cluster{
		Service: service, TargetPort: backend.TargetPort, Protocol: backend.Protocol, HTTP: version, Upstream: settings,
		Endpoints: EndpointsKey{Service: service, TargetPort: backend.TargetPort, HTTP2: version == HTTP2, Peer: imported.Peer},
		Peer:      &PeerDestination{Peer: imported.Peer, Port: imported.Number, Servers: imported.Servers},
	}
}

// leavingAddresses are the endpoints of a port of a Service of a peer: the peer gateway of this mesh, while the peer has a ready endpoint. Of two address
// families, all pods can reach the first one of the cluster.
func leavingAddresses(v *catalog.View, service *inventory.Service, key EndpointsKey) []netip.AddrPort {
	described := v.Imported(service)
	if described == nil || described.Peer != key.Peer {
		return nil
	}
	addresses := v.PeerGatewayAddresses()
	if port, ok := described.Port(key.TargetPort); !ok || !port.Ready || len(addresses) == 0 {
		return nil
	}
	return []netip.AddrPort{netip.AddrPortFrom(addresses[0], names.PeerLeavingPort)}
}

// MaxExports is how many Services a mesh exports to one peer. Of more, the first by name count.
const MaxExports = 200

// addPeerGateway adds the exported Services that policies let peers call, and the ways to all peers.
func (s *Scope) addPeerGateway(v *catalog.View) {
	gateway := &PeerGateway{}
	clusters, exported := map[string]Cluster{}, map[string]map[entity.Name]bool{}
	for _, peer := range v.Peers() {
		gateway.Peers = append(gateway.Peers, PeerWay{Peer: peer.Name, Gateways: peer.Gateways})
		exported[peer.Name] = map[entity.Name]bool{}
	}
	for _, export := range v.Exports() {
		service := v.Service(export.Name)
		if service == nil {
			continue
		}
		for _, peer := range gateway.Peers {
			ports := exportedPorts(v, service, export, peer.Peer)
			if len(ports) == 0 || len(exported[peer.Peer]) >= MaxExports {
				continue
			}
			exported[peer.Peer][service.Name] = true
			for _, port := range ports {
				gateway.Exports = append(gateway.Exports, PeerExport{Peer: peer.Peer, Service: service.Name, Port: port.Number, Cluster: addPlain(v, clusters, service, port)})
			}
		}
	}
	s.PeerGateway, s.Clusters = gateway, slices.SortedFunc(maps.Values(clusters), compareClusters)
}

// exportedPorts returns the ports of a Service on which policies admit accounts of a peer. All other Services are invisible to it.
func exportedPorts(v *catalog.View, service *inventory.Service, export *catalog.ServiceExport, peer string) []inventory.Port {
	if !export.Includes(peer) {
		return nil
	}
	var ports []inventory.Port
	for _, port := range service.Ports {
		if v.TargetPort(service, port) != 0 && len(authz.GrantedPeers(v, service, port, peer)) > 0 {
			ports = append(ports, port)
		}
	}
	return ports
}

// addPlain adds a port of a Service to which the gateway forwards bytes, and returns the name of the cluster.
func addPlain(v *catalog.View, clusters map[string]Cluster, service *inventory.Service, port inventory.Port) string {
	target := v.TargetPort(service, port)
	c := Cluster{
		Service: service.Name, TargetPort: target, Protocol: inventory.ProtocolTCP, Plain: true,
		Endpoints: EndpointsKey{Service: service.Name, TargetPort: target},
	}
	clusters[c.Name()] = c
	return c.Name()
}
