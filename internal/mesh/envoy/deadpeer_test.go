package envoy_test

import (
	"strings"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/message"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Sidecars and gateways answer pings. Applications and servers outside the mesh may close a connection with frequent ones, so they get none. All
// connections that leave the pod have probes of the kernel.
func TestDeadPeersAreDetected(t *testing.T) {
	pinged, probed := 0, 0
	for name, s := range scopes(t) {
		for _, r := range envoy.Build(s) {
			c, isCluster := r.Message.(*clusterv3.Cluster)
			if !isCluster {
				continue
			}
			options := &httpv3.HttpProtocolOptions{}
			if packed := c.GetTypedExtensionProtocolOptions()[message.HTTPProtocolOptions]; packed != nil {
				if err := packed.UnmarshalTo(options); err != nil {
					t.Fatal(err)
				}
			}
			pings := options.GetUseDownstreamProtocolConfig().GetHttp2ProtocolOptions().GetConnectionKeepalive() != nil ||
				options.GetExplicitHttpConfig().GetHttp2ProtocolOptions().GetConnectionKeepalive() != nil
			// Servers outside the mesh have DNS or no TLS. Sidecars of other meshes can be behind a name.
			toPeer := strings.Contains(string(c.GetTransportSocket().GetTypedConfig().GetValue()), "root-cert-of-peer:")
			toMesh := c.GetTransportSocket() != nil && (c.GetClusterType() == nil || toPeer)
			if pings && !toMesh {
				t.Errorf("%s: cluster %s pings its peer", name, c.GetName())
			}
			probes := c.GetUpstreamConnectionOptions().GetTcpKeepalive() != nil
			if leavesPod := c.GetType() != clusterv3.Cluster_STATIC || c.GetClusterType() != nil || !isLoopback(c); probes != leavesPod {
				t.Errorf("%s: cluster %s has probes: %t, want %t", name, c.GetName(), probes, leavesPod)
			}
			pinged, probed = pinged+count(pings), probed+count(probes)
		}
	}
	if pinged == 0 || probed <= pinged {
		t.Errorf("%d clusters ping and %d have probes, want some and more", pinged, probed)
	}
}

// Sidecars and gateways probe idle clients in other pods and outside. Clients in the own pod vanish with it. The Envoy of Open Service Mesh cannot.
func TestDeadClientsAreDetected(t *testing.T) {
	probed := map[string]bool{}
	for name, s := range scopes(t) {
		for _, r := range envoy.Build(s) {
			l, isListener := r.Message.(*listenerv3.Listener)
			if !isListener || l.GetName() == "inbound-prometheus-listener" {
				continue
			}
			fromOutside := l.GetTrafficDirection() == corev3.TrafficDirection_INBOUND && !s.Key.Class.OSM
			if probes := l.GetTcpKeepalive() != nil; probes != fromOutside {
				t.Errorf("%s: listener %s probes its clients: %t, want %t", name, l.GetName(), probes, fromOutside)
			}
			probed[l.GetName()] = probed[l.GetName()] || fromOutside
		}
	}
	for _, want := range []string{"inbound-listener", names.GatewayListener(80), names.EgressGatewayListener} {
		if !probed[want] {
			t.Errorf("no listener %s probes its clients", want)
		}
	}
}

func isLoopback(c *clusterv3.Cluster) bool {
	for _, locality := range c.GetLoadAssignment().GetEndpoints() {
		for _, e := range locality.GetLbEndpoints() {
			if e.GetEndpoint().GetAddress().GetSocketAddress().GetAddress() != "127.0.0.1" {
				return false
			}
		}
	}
	return true
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}
