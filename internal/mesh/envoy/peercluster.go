package envoy

import (
	"fmt"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// peerCluster has servers of another mesh. Its endpoint is the peer gateway of this mesh, which is never ejected and not checked: it says nothing about the
// servers. Of several gateways of the peer itself, those to which connections fail are ejected. Without roots of the peer, or with a name that is too long for
// a handshake, there is no endpoint.
func peerCluster(s *translation, c scope.Cluster) *clusterv3.Cluster {
	peer, trusted := trustedPeer(s, c.Peer.Peer)
	serverName, ok := identity.PeerServerName(c.Service.Name, c.Service.Namespace, c.Peer.Port, peer.TrustDomain, s.TrustDomain)
	if !trusted || !ok {
		out := emptyCluster(c.Name())
		out.Metadata = serviceMetadata(c.Service)
		return out
	}
	out := serviceCluster(c)
	switch {
	case c.Peer.Gateway.Host != "":
		out = hostCluster(s, c.Name(), c.Peer.Gateway.Host, c.Peer.Gateway.Port)
		out.Metadata = serviceMetadata(c.Service)
	case c.Peer.Direct:
		out.OutlierDetection = ejectUnreachable
	}
	out.ConnectTimeout = durationpb.New(outsideConnectTimeout)
	out.TransportSocket = peerClientTLS(s, serverName, peer, c.Peer.Servers)
	out.TypedExtensionProtocolOptions = sidecarHTTP(c.Protocol, c.HTTP, c.Upstream)
	applyConnectionSettings(out, c.Upstream)
	return out
}

// peerClientTLS requests a server name. The server must prove one of the identities by a certificate of the peer.
func peerClientTLS(s *translation, serverName string, peer scope.Peer, servers []identity.PeerAccount) *corev3.TransportSocket {
	common := commonTLS(s, peerTrustName(peer.Name))
	common.AlpnProtocols = []string{meshALPN}
	admitOnly(common, allowedPrincipals(servers, []string{peer.TrustDomain}))
	return tlsSocket(&tlsv3.UpstreamTlsContext{Sni: serverName, CommonTlsContext: common})
}

// plainCluster has servers to which a peer gateway forwards bytes. Its statistics are among those for which a gateway waits before it stops.
func plainCluster(c scope.Cluster) *clusterv3.Cluster {
	out := serviceCluster(c)
	out.AltStatName = fmt.Sprintf("%s%s.%s_%d", peerGatewayPrefix, c.Service.Name, c.Service.Namespace, c.TargetPort)
	out.OutlierDetection = ejectUnreachable
	return out
}
