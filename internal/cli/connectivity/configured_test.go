package connectivity

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestExpectedResources checks what the sidecar of a client needs to call a Service: resources of the Service, or those that it shares with others on the port
// number, and whose cluster is loaded at the first call. Nothing else of the mesh is missed.
func TestExpectedResources(t *testing.T) {
	client := meshtest.Pod("shop", "client", "client", "client", "10.0.0.1")
	client.Metrics = true // a listener whose filter chain has no name
	web, server := meshtest.Service("shop", "web", "web", "10.96.0.1", 80, inventory.ProtocolHTTP), meshtest.Pod("shop", "web-1", "web", "web", "10.0.0.2")
	for onDemand, want := range map[bool][]string{
		false: {"listener inbound-prometheus-listener", "cluster envoy-metrics-cluster", "listener outbound-listener", "filter chain outbound-closed", "listener outbound_shop/web_80", "filter chain outbound_shop/web_80_http", "route configuration rds-outbound.80|shop/web", "cluster shop/web|80"},
		true:  {"listener inbound-prometheus-listener", "cluster envoy-metrics-cluster", "listener outbound-listener", "filter chain outbound-closed", "listener outbound_80", "filter chain outbound_80_http", "route configuration rds-outbound.80"},
	} {
		client.OnDemand = onDemand
		view := meshtest.Apply(
			&catalog.Settings{Permissive: true}, &catalog.Namespace{Name: "shop", Monitored: true}, client, web, server, meshtest.Slice(web.Name, server),
			&catalog.ServiceCIDR{Name: "kubernetes", Ranges: []netip.Prefix{netip.MustParsePrefix("10.96.0.0/16")}},
		).View()
		got := map[string]bool{}
		for _, i := range (Mesh{TrustDomain: "mesh.test"}).expected(view, client) {
			got[string(i.part)+" "+i.name] = true
		}
		expected := map[string]bool{}
		for _, name := range want {
			expected[name] = true
		}
		if diff := cmp.Diff(expected, got); diff != "" {
			t.Errorf("on demand %t (-want +got):\n%s", onDemand, diff)
		}
	}
}
