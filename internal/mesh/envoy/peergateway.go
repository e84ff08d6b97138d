package envoy

import (
	"fmt"
	"net/netip"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// A peer gateway forwards TLS of others by server names. It has no certificate, so whoever controls it can drop connections, but neither read nor forge them.

const (
	// peerGatewayPrefix is that of clusters whose connections a gateway waits for before it stops.
	peerGatewayPrefix = "peer-gateway."
	// peerDiscoveryCluster has the control plane for control planes of peers. Their streams never end, so a gateway does not wait for them.
	peerDiscoveryCluster = "peer-discovery"
)

// peerGatewayListeners are the listeners of a peer gateway: one for connections of peers, and one for those to peers. They have the names of their Services.
func peerGatewayListeners(s *translation) []*listenerv3.Listener {
	if s.PeerGateway == nil {
		return nil
	}
	return []*listenerv3.Listener{
		peerGatewayListener(s, names.PeerGateway, names.PeerGatewayPort, arrivingChains(s)),
		peerGatewayListener(s, names.PeerLeaving, names.PeerLeavingPort, leavingChains(s)),
	}
}

// peerGatewayListener closes connections that match no chain.
func peerGatewayListener(s *translation, name string, port uint16, chains []*listenerv3.FilterChain) *listenerv3.Listener {
	out := newBoundListener(name, port, s.Key.Class, corev3.TrafficDirection_INBOUND)
	detectDeadClients(out)
	out.ListenerFilters = []*listenerv3.ListenerFilter{readServerName}
	out.AccessLog = s.logs().inboundListener
	out.PerConnectionBufferLimitBytes = wrapperspb.UInt32(gatewayBufferBytes)
	out.FilterChains = chains
	if len(chains) == 0 {
		out.FilterChains = noFilterChains()
	}
	return out
}

// arrivingChains lead clients of a peer to what is exported to it, and the control plane of a peer to the one of this mesh.
func arrivingChains(s *translation) []*listenerv3.FilterChain {
	var chains []*listenerv3.FilterChain
	add := func(name, cluster string, serverNames []string) {
		if len(serverNames) > 0 {
			chains = append(chains, passthroughChainTo(s, name, cluster, serverNames))
		}
	}
	for _, e := range s.PeerGateway.Exports {
		add(fmt.Sprintf("arriving_%s_%s_%d", e.Peer, e.Service, e.Port), e.Cluster, exportServerNames(s, e))
	}
	if s.PeerGateway.Discovery.Host == "" {
		return chains
	}
	for _, way := range s.PeerGateway.Peers {
		add("arriving_"+way.Peer, peerDiscoveryCluster, discoveryServerNames(s, way.Peer))
	}
	return chains
}

func exportServerNames(s *translation, e scope.PeerExport) []string {
	peer, known := peerNamed(s, e.Peer)
	if !known {
		return nil
	}
	return peerServerNames(s, e.Service, []uint16{e.Port}, peer)
}

func discoveryServerNames(s *translation, name string) []string {
	peer, known := peerNamed(s, name)
	if !known {
		return nil
	}
	var serverNames []string
	for _, domain := range s.AcceptedServerDomains() {
		serverNames = append(serverNames, identity.DiscoveryServerName(domain, peer.TrustDomain))
	}
	return serverNames
}

// leavingChains lead to the gateways of peers. The names end with the trust domains of both meshes, so none leads to another mesh.
func leavingChains(s *translation) []*listenerv3.FilterChain {
	var chains []*listenerv3.FilterChain
	for _, way := range s.PeerGateway.Peers {
		peer, known := peerNamed(s, way.Peer)
		if !known || len(way.Gateways) == 0 {
			continue
		}
		var serverNames []string
		for _, domain := range s.AcceptedClientDomains() {
			serverNames = append(serverNames, "*"+identity.PeerServerSuffix(peer.TrustDomain, domain))
		}
		chains = append(chains, passthroughChainTo(s, "leaving_"+way.Peer, peerGatewayCluster(way.Peer), serverNames))
	}
	return chains
}

// passthroughChainTo forwards TLS as it is. Both ends close idle connections, so the gateway does not.
func passthroughChainTo(s *translation, name, cluster string, serverNames []string) *listenerv3.FilterChain {
	return &listenerv3.FilterChain{
		Name:             name,
		FilterChainMatch: &listenerv3.FilterChainMatch{ServerNames: serverNames, TransportProtocol: "tls"},
		Filters: []*listenerv3.Filter{tcpProxy(s.logs().outboundConnections, &tcpv3.TcpProxy{
			StatPrefix:         "peer-gateway-tcp-proxy." + name,
			ClusterSpecifier:   &tcpv3.TcpProxy_Cluster{Cluster: cluster},
			MaxConnectAttempts: wrapperspb.UInt32(maxConnectAttempts),
			IdleTimeout:        durationpb.New(0),
		})},
	}
}

func peerGatewayCluster(peer string) string { return peerGatewayPrefix + peer }

// peerGatewayClusters are the gateways of peers, and the control plane for those of peers.
func peerGatewayClusters(s *translation) []*clusterv3.Cluster {
	if s.PeerGateway == nil {
		return nil
	}
	var clusters []*clusterv3.Cluster
	for _, way := range s.PeerGateway.Peers {
		if len(way.Gateways) > 0 {
			clusters = append(clusters, gatewaysOfPeer(s, way))
		}
	}
	if server := s.PeerGateway.Discovery; server.Host != "" {
		clusters = append(clusters, hostCluster(s, peerDiscoveryCluster, server.Host, server.Port))
	}
	return clusters
}

// gatewaysOfPeer are the gateways of one peer, by one DNS name or by addresses. Of several, those that do not answer are ejected.
func gatewaysOfPeer(s *translation, way scope.PeerWay) *clusterv3.Cluster {
	name, first := peerGatewayCluster(way.Peer), way.Gateways[0]
	var out *clusterv3.Cluster
	if addresses, ok := serverAddresses(way.Gateways, s.Key.Class); ok {
		out = newCluster(name, clusterv3.Cluster_STATIC)
		detectDeadPeers(out)
		out.LoadAssignment = loadAssignment(name, addresses...)
		if len(addresses) > 1 {
			out.OutlierDetection = ejectUnreachable
		}
	} else {
		out = hostCluster(s, name, first.Host, first.Port)
	}
	out.AltStatName = fmt.Sprintf("%s_%d", name, first.Port)
	out.ConnectTimeout = durationpb.New(outsideConnectTimeout)
	return out
}

// serverAddresses are the addresses of servers that the pod can reach; ok is false if one of them has a DNS name.
func serverAddresses(servers []catalog.Server, class scope.Class) (addresses []netip.AddrPort, ok bool) {
	for _, server := range servers {
		address, err := netip.ParseAddr(server.Host)
		if err != nil {
			return nil, false
		}
		if class.IPv6 || !address.Is6() {
			addresses = append(addresses, netip.AddrPortFrom(address, server.Port))
		}
	}
	return addresses, true
}
