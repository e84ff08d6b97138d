package scope

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestKeyKeepsNamedPorts checks that a key returns the numbers with which it was made.
func TestKeyKeepsNamedPorts(t *testing.T) {
	web, api := meshtest.Name("shop", "web"), meshtest.Name("shop", "api")
	for name, test := range map[string]struct {
		ports []inventory.NamedPort
		want  map[string][]uint16
	}{
		"none":                   {nil, map[string][]uint16{}},
		"the only port, unnamed": {[]inventory.NamedPort{{Service: web, Number: 8080}}, map[string][]uint16{"shop/web/": {8080}}},
		"ports of two Services": {
			[]inventory.NamedPort{{Service: api, Port: "http", Number: 65535}, {Service: web, Port: "http", Number: 8080}, {Service: web, Port: "metrics", Number: 9090}},
			map[string][]uint16{"shop/api/http": {65535}, "shop/web/http": {8080}, "shop/web/metrics": {9090}},
		},
		"several numbers of a handwritten port": {
			[]inventory.NamedPort{{Service: web, Port: "http", Number: 8080}, {Service: web, Port: "http", Number: 8081}},
			map[string][]uint16{"shop/web/http": {8080, 8081}},
		},
	} {
		if diff := cmp.Diff(test.want, Key{Ports: joinPorts(test.ports)}.namedPorts()); diff != "" {
			t.Errorf("%s: numbers (-want +got):\n%s", name, diff)
		}
	}
}

// TestOnDemandComesFromThePod checks that only the pod decides whether a sidecar loads its destinations at first use, and that gateways never do.
func TestOnDemandComesFromThePod(t *testing.T) {
	sidecar, gateway := meshtest.Pod("shop", "web", "web", "web", "10.0.0.1"), meshtest.Pod("osm-system", "gateway", "gateway", names.EgressGateway, "10.0.0.2")
	eager := meshtest.Pod("shop", "api", "api", "api", "10.0.0.3")
	sidecar.EagerDestinations, gateway.EagerDestinations = "shop/api", "shop/api"
	sidecar.OnDemand, gateway.OnDemand, gateway.Labels = true, true, map[string]string{names.AppLabel: names.EgressGateway}
	ranges := &catalog.ServiceCIDR{Name: "kubernetes", Ranges: []netip.Prefix{netip.MustParsePrefix("10.96.0.0/16")}}
	mesh := []catalog.Entry{&catalog.Settings{Namespace: "osm-system"}, &catalog.Namespace{Name: "shop", Monitored: true}, sidecar, gateway, eager}
	for _, c := range []*catalog.Catalog{meshtest.Apply(mesh...), meshtest.Apply(append(mesh, ranges)...)} {
		for pod, want := range map[*inventory.Instance]bool{sidecar: true, eager: false, gateway: false} {
			got := KeyFor(c.View(), pod).Class
			if got.OnDemand != want || (got.EagerDestinations == "shop/api") != want {
				t.Errorf("%s: on demand is %t with the eager destinations %q, want %t", pod.Name, got.OnDemand, got.EagerDestinations, want)
			}
		}
	}
}
