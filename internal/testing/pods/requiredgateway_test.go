package pods_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
)

// requiringMesh is a mesh that allows egress, in which the namespace of buyer requires the egress gateway. Its Egress does not name the gateway.
func requiringMesh(addresses ...netip.Addr) *catalog.View {
	c := catalog.New()
	for _, entry := range []catalog.Entry{
		&catalog.Settings{Namespace: names.DefaultNamespace, Egress: true, EgressPolicies: true},
		&catalog.Namespace{Name: buyer.Namespace, Monitored: true, EgressGateway: true},
		&catalog.Namespace{Name: names.DefaultNamespace},
		&inventory.Service{Name: entity.Name{Namespace: names.DefaultNamespace, Name: names.EgressGateway}, ClusterIPs: addresses},
		&catalog.Egress{
			Name: outsidePolicy, Sources: []identity.ServiceAccount{buyer}, Hosts: []string{"api.example.com"}, Ports: []catalog.EgressPort{
				{Number: plainPort, Protocol: inventory.ProtocolHTTP}, {Number: tlsPort, Protocol: catalog.ProtocolHTTPS}, {Number: provedPort, Protocol: inventory.ProtocolTCP},
			},
		},
	} {
		c.Apply([]catalog.Change{catalog.Set(entry)})
	}
	return c.View()
}

// Everything that leaves a namespace which requires the gateway goes through it, and nothing leaves without it.
func TestNamespaceOnlyUsesTheEgressGateway(t *testing.T) {
	t.Parallel()
	o := newOutgoing(t)
	view := requiringMesh(o.gateway.IP)
	gateway := scope.Build(view, trustDomain, scope.Key{Identity: identity.ServiceAccount{Namespace: names.DefaultNamespace, Name: names.EgressGateway}, Proxy: scope.ProxyEgressGateway})
	o.gateway.SendAll(t, gateway, slices.Concat(envoy.Build(gateway), envoy.OutsideSecrets(gateway)))
	o.client.Configure(t, scope.Build(view, trustDomain, scope.Key{Identity: buyer}))
	from := " from " + o.gateway.IP.String()
	if got := o.request(t, plainPort, "api.example.com"); !strings.HasPrefix(got, "200 api.example.com"+from) {
		t.Errorf("a request gets %q, want an answer from the server to the gateway", got)
	}
	if got := o.handshake(t); !strings.Contains(got, from) {
		t.Errorf("a TLS connection gets %q, want an answer from the server to the gateway", got)
	}
	if got := o.request(t, plainPort, "other.example.com"); !strings.HasPrefix(got, "404 ") {
		t.Errorf("a request to another host gets %q, want 404", got)
	}
	// The server requires TLS on this port, and would report it.
	if got, err := o.client.Exchange(t, nstest.Address(o.outside.IP.String(), provedPort), "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err == nil && got != "" {
		t.Errorf("a TCP connection gets %q, want that it is closed", got)
	}

	o.client.Configure(t, scope.Build(requiringMesh(), trustDomain, scope.Key{Identity: buyer}))
	if got := o.request(t, plainPort, "api.example.com"); !strings.HasPrefix(got, "503 ") {
		t.Errorf("without a gateway, a request gets %q, want 503", got)
	}
	if got := o.handshake(t); !strings.Contains(got, "EOF") && !strings.Contains(got, "reset") {
		t.Errorf("without a gateway, a TLS connection gets %q, want that it is closed", got)
	}
}
