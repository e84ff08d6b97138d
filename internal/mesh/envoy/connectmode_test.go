package envoy

import (
	"testing"

	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// TestConnectMode verifies that the application sees connections of verified clients only, and that a global limit works with every protocol.
func TestConnectMode(t *testing.T) {
	limited := &scope.Limits{GlobalConnections: &upstream.GlobalConnectionLimit{}}
	for name, test := range map[string]struct {
		limits   *scope.Limits
		protocol inventory.Protocol
		want     tcpv3.UpstreamConnectMode
	}{
		"no limits":             {nil, inventory.ProtocolTCP, tcpv3.UpstreamConnectMode_ON_DOWNSTREAM_TLS_HANDSHAKE},
		"other limits":          {&scope.Limits{}, inventory.ProtocolTCPServerFirst, tcpv3.UpstreamConnectMode_ON_DOWNSTREAM_TLS_HANDSHAKE},
		"limited":               {limited, inventory.ProtocolTCP, tcpv3.UpstreamConnectMode_ON_DOWNSTREAM_DATA},
		"limited, server first": {limited, inventory.ProtocolTCPServerFirst, tcpv3.UpstreamConnectMode_IMMEDIATE},
	} {
		in := inboundPort{}
		in.Protocol, in.Limits = test.protocol, test.limits
		if got := connectMode(in); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}
