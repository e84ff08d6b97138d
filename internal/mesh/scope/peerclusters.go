package scope

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/peering"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// importedCluster is a port of a Service of a peer as a destination. The pods are known to the peer only.
func (o outboundBuilder) importedCluster(backend authz.WeightedBackend, version HTTPVersion) Cluster {
	service, imported := backend.Service.Name, backend.Imported
	out := Cluster{
		Service: service, TargetPort: backend.TargetPort, Protocol: backend.Protocol, HTTP: version, Upstream: o.upstream(service),
		Endpoints: EndpointsKey{Service: service, TargetPort: backend.TargetPort, HTTP2: version == HTTP2, Peer: imported.Peer, PeerPort: imported.Number},
		Peer:      &PeerDestination{Peer: imported.Peer, Port: imported.Number, Servers: imported.Servers},
	}
	out.Peer.Direct, out.Peer.Gateway = o.gatewayFor(imported)
	return out
}

// gatewayFor reports whether sidecars connect to the gateways of a peer themselves, and returns the gateway that they look up; without a host if there is none,
// or while the peer has no ready endpoint.
func (o outboundBuilder) gatewayFor(imported *authz.Imported) (isDirect bool, gateway catalog.Server) {
	peer := o.view.Peer(imported.Peer)
	if peer == nil || !peer.Direct {
		return false, catalog.Server{}
	}
	if named, ok := peer.GatewayName(); ok && imported.Ready {
		gateway = named
	}
	return true, gateway
}

// looksUp reports whether a rule has a backend whose gateway sidecars look up.
func (o outboundBuilder) looksUp(rule authz.RouteRule) bool {
	return slices.ContainsFunc(rule.Backends, func(b authz.WeightedBackend) bool {
		if b.Imported == nil {
			return false
		}
		_, gateway := o.gatewayFor(b.Imported)
		return gateway.Host != ""
	})
}

// addStandIn lets a Service of a peer answer while no endpoint does.
func (c *Cluster) addStandIn(imported *authz.Imported) {
	c.StandIn = &PeerDestination{Peer: imported.Peer, Port: imported.Number, Servers: imported.Servers}
	c.Endpoints.Peer, c.Endpoints.PeerPort, c.Endpoints.StandIn = imported.Peer, imported.Number, true
}

// removeStandIn leaves the endpoints of this mesh. A cluster for the share of the peer has them too then.
func (c *Cluster) removeStandIn() {
	c.StandIn = nil
	c.Endpoints.Peer, c.Endpoints.PeerPort, c.Endpoints.StandIn = "", 0, false
}

// leavingAddresses are the endpoints of a port of a Service of a peer: the peer gateway of this mesh, or the gateways of the peer by their addresses, while the
// peer has a ready endpoint. Of two address families, all pods can reach the first one of the cluster.
func leavingAddresses(v *catalog.View, service *inventory.Service, key EndpointsKey) []netip.AddrPort {
	if key.Peer == "" {
		return nil
	}
	described, _ := v.ServiceOfPeer(service)
	if described == nil || described.Peer != key.Peer {
		return nil
	}
	if port, ok := described.Port(key.PeerPort); !ok || !port.Ready {
		return nil
	}
	if peer := v.Peer(key.Peer); peer != nil && peer.Direct && len(peer.GatewayAddresses()) > 0 {
		return peer.GatewayAddresses()
	}
	addresses := v.PeerGatewayAddresses()
	if len(addresses) == 0 {
		return nil
	}
	return []netip.AddrPort{netip.AddrPortFrom(addresses[0], names.PeerLeavingPort)}
}

// addPeerGateway adds what the mesh offers to its peers, and the ways to all peers.
func (s *Scope) addPeerGateway(v *catalog.View) {
	gateway, clusters := &PeerGateway{}, map[string]Cluster{}
	gateway.Discovery = catalog.Server{Host: names.ServiceHost(names.Controller, v.Settings().Namespace), Port: names.PeerDiscoveryPort}
	for _, peer := range v.Peers() {
		gateway.Peers = append(gateway.Peers, PeerWay{Peer: peer.Name, Gateways: peer.Gateways})
		offers, _ := peering.Offers(v, peer.Name)
		for _, offer := range offers {
			for _, port := range offer.Service.Ports {
				if cluster, known := addPlain(v, clusters, v.Service(offer.Name), port.Number); known {
					gateway.Exports = append(gateway.Exports, PeerExport{Peer: peer.Name, Service: offer.Name, Port: port.Number, Cluster: cluster})
				}
			}
		}
	}
	slices.SortFunc(gateway.Exports, func(a, b PeerExport) int {
		return cmp.Or(a.Service.Compare(b.Service), cmp.Compare(a.Port, b.Port), cmp.Compare(a.Peer, b.Peer))
	})
	s.PeerGateway, s.Clusters = gateway, slices.SortedFunc(maps.Values(clusters), compareClusters)
}

// addPlain adds a port of a Service to which the gateway forwards bytes, and returns the name of the cluster. A named target port is not known without a pod.
func addPlain(v *catalog.View, clusters map[string]Cluster, service *inventory.Service, number uint16) (name string, known bool) {
	i := slices.IndexFunc(service.Ports, func(p inventory.Port) bool { return p.Number == number })
	target := v.TargetPort(service, service.Ports[i])
	if target == 0 {
		return "", false
	}
	c := Cluster{
		Service: service.Name, TargetPort: target, Protocol: inventory.ProtocolTCP, Plain: true,
		Endpoints: EndpointsKey{Service: service.Name, TargetPort: target},
	}
	clusters[c.Name()] = c
	return c.Name(), true
}
