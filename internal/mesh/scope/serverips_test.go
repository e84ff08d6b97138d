package scope

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/extauthz"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/telemetry"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// Every server that is a Service has its virtual address, in and outside the mesh. Others have none.
func TestServerIPs(t *testing.T) {
	services, want := []catalog.Entry{}, map[string]netip.Addr{}
	host := func(name string) string { return name + ".servers.svc.cluster.local" }
	for i, name := range []string{"jaeger", "otel", "opa", "authorizer", "requests", "connections", "egress"} {
		address := netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})
		services = append(services, &inventory.Service{Name: meshtest.Name("servers", name), ClusterIPs: []netip.Addr{address}})
		want[host(name)] = address
	}
	client := meshtest.SA("shop", "web")
	v := meshtest.Apply(append(services,
		&catalog.Settings{
			Namespace: "osm-system", EgressPolicies: true, Tracing: &catalog.Tracing{Address: host("jaeger")},
			ExternalAuthorization: &catalog.ExternalAuthorization{Address: host("opa")},
		},
		&catalog.Namespace{Name: "shop", Monitored: true},
		&catalog.ExtensionService{Name: meshtest.Name("shop", "collector"), Address: host("otel")},
		&catalog.ExtensionService{Name: meshtest.Name("shop", "own"), Address: host("authorizer")},
		&telemetry.Policy{Name: meshtest.Name("shop", "logs"), Export: meshtest.Name("shop", "collector")},
		&extauthz.Policy{Name: meshtest.Name("shop", "auth"), Service: meshtest.Name("shop", "own")},
		&inventory.Service{Name: meshtest.Name("shop", "web"), Ports: []inventory.Port{{Number: 80, TargetPort: 80, Protocol: inventory.ProtocolHTTP}}},
		&upstream.Policy{
			Kind: upstream.Kind, Name: meshtest.Name("shop", "web"), Service: meshtest.Name("shop", "web"),
			GlobalRequests:    &upstream.GlobalRequestLimit{GlobalLimit: upstream.GlobalLimit{Address: host("requests")}},
			GlobalConnections: &upstream.GlobalConnectionLimit{GlobalLimit: upstream.GlobalLimit{Address: host("connections")}},
		},
		&inventory.Service{Name: meshtest.Name("osm-system", names.EgressGateway), AllowedNamespaces: []string{"servers"}},
		&catalog.Egress{
			Name: meshtest.Name("shop", "forwarded"), Gateway: &catalog.EgressGateway{}, Hosts: []string{host("connections")}, Ports: []catalog.EgressPort{{Number: 80, Protocol: inventory.ProtocolHTTP}},
		},
		&catalog.Egress{
			Name: meshtest.Name("shop", "out"), Sources: []identity.ServiceAccount{client},
			Hosts: []string{host("egress"), host("none"), "api.example.com"}, Ports: []catalog.EgressPort{{Number: 80, Protocol: inventory.ProtocolHTTP}},
		},
	)...).View()
	key := Key{Identity: client, Services: "shop/web", Telemetry: meshtest.Name("shop", "logs"), Authorization: meshtest.Name("shop", "auth")}
	if diff := cmp.Diff(want, Build(v, "cluster.local", key).ServerIPs, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	gateway := Build(v, "cluster.local", Key{Identity: meshtest.SA("osm-system", "gateway"), Proxy: ProxyEgressGateway})
	if diff := cmp.Diff(map[string]netip.Addr{host("jaeger"): want[host("jaeger")], host("connections"): want[host("connections")]}, gateway.ServerIPs, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("of the egress gateway (-want +got):\n%s", diff)
	}
}
