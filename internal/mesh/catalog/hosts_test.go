package catalog_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

func TestClusterIP(t *testing.T) {
	v4, v6 := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd00::1")
	c := meshtest.Apply(
		&inventory.Service{Name: entity.Name{Namespace: "opa", Name: "opa"}, ClusterIPs: []netip.Addr{v4, v6}},
		&inventory.Service{Name: entity.Name{Namespace: "opa", Name: "six"}, ClusterIPs: []netip.Addr{v6}},
		&inventory.Service{Name: entity.Name{Namespace: "opa", Name: "headless"}},
	)
	for host, want := range map[string][2]netip.Addr{
		"opa.opa.svc.cluster.local":      {v4, v4},
		"opa.opa.svc.cluster.local.":     {v4, v4},
		"opa.opa.svc":                    {v4, v4},
		"six.opa.svc":                    {{}, v6},
		"headless.opa.svc":               {},
		"none.opa.svc.cluster.local":     {},
		"opa.opa":                        {},
		"opa":                            {},
		"opa.svc":                        {},
		".opa.svc":                       {},
		"pod.opa.opa.svc.cluster.local":  {},
		"opa.opa.svc.other.example":      {},
		"opa.opa.svc.cluster.local.evil": {},
	} {
		for i, ipv6 := range []bool{false, true} {
			view := c.View()
			got, found := view.ClusterIP(host, ipv6)
			if got != want[i] || found != want[i].IsValid() {
				t.Errorf("%s, IPv6 %t: %s, %t, want %s", host, ipv6, got, found, want[i])
			}
		}
	}
}

// A Service that is created later changes the sidecars that asked for it.
func TestClusterIPRecordsTheService(t *testing.T) {
	view := catalog.New().View()
	view.ClusterIP("opa.opa.svc", true)
	if want := entity.DepService.Of(entity.Name{Namespace: "opa", Name: "opa"}); !slices.Contains(view.Deps(), want) {
		t.Errorf("the dependencies are %v, want %v", view.Deps(), want)
	}
	view = catalog.New().View()
	if view.ClusterIP("api.example.com", true); len(view.Deps()) > 0 {
		t.Errorf("a host outside the cluster has the dependencies %v", view.Deps())
	}
}
