package scope_test

import (
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestLongIdleTimeout checks that the server's sidecar does not close a connection before the configured time.
func TestLongIdleTimeout(t *testing.T) {
	for _, test := range []struct {
		protocol   inventory.Protocol
		idle, want time.Duration
	}{
		{inventory.ProtocolTCP, 24 * time.Hour, 24 * time.Hour},
		{inventory.ProtocolTCPServerFirst, 2 * time.Hour, 2 * time.Hour},
		{inventory.ProtocolTCP, time.Minute, 0}, // the client's sidecar closes it
		{inventory.ProtocolHTTP, 24 * time.Hour, 0},
	} {
		server := Pod("a", "server", "server", "server", "10.0.0.1")
		service := Service("a", "server", "server", "172.0.0.1", 80, test.protocol)
		c := Apply(&catalog.Namespace{Name: "a", Monitored: true}, server, service, Slice(service.Name, server), &upstream.Policy{
			Kind: upstream.Kind, Name: Name("a", "s"), Service: service.Name,
			Connections: upstream.ConnectionSettings{TCPIdleTimeout: test.idle},
		})
		s := scope.Build(c.View(), trustDomain, scope.KeyFor(c.View(), server))
		if len(s.Inbound) != 1 || s.Inbound[0].IdleTimeout != test.want {
			t.Errorf("%s with %s: the inbound ports are %+v, want an idle timeout of %s", test.protocol, test.idle, s.Inbound, test.want)
		}
	}
}
