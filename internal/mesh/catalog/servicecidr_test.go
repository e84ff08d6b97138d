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

func prefixes(texts ...string) []netip.Prefix {
	var list []netip.Prefix
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

// TestServiceRanges checks that the ranges of all ServiceCIDRs count, and that a view depends on those that do not exist yet.
func TestServiceRanges(t *testing.T) {
	c := catalog.New()
	view := c.View()
	if got := view.ServiceRanges(); len(got) > 0 {
		t.Errorf("without ServiceCIDRs, the ranges are %v", got)
	}
	dep := entity.Dep{Kind: entity.DepServiceRanges}
	if !slices.Contains(view.Deps(), dep) {
		t.Errorf("the dependencies are %v, want %v", view.Deps(), dep)
	}
	affected := c.Apply([]catalog.Change{
		catalog.Set(&catalog.ServiceCIDR{Name: "a", Ranges: prefixes("fd00:96::/112", "10.96.0.0/16")}),
		catalog.Set(&catalog.ServiceCIDR{Name: "b", Ranges: prefixes("10.97.0.0/16", "10.96.0.0/16")}),
	})
	if !slices.Contains(affected, dep) {
		t.Errorf("new ranges affect %v, want %v", affected, dep)
	}
	if got, want := c.View().ServiceRanges(), prefixes("10.96.0.0/16", "10.97.0.0/16", "fd00:96::/112"); !slices.Equal(got, want) {
		t.Errorf("the ranges are %v, want %v", got, want)
	}
}

// TestServicesOutside makes one change after another. Each affects what depends on the addresses only if it can change them.
func TestServicesOutside(t *testing.T) {
	service := func(namespace, name string, addresses ...string) *inventory.Service {
		s := &inventory.Service{Name: meshtest.Name(namespace, name), Ports: []inventory.Port{{Number: 80}}}
		for _, address := range addresses {
			s.ClusterIPs = append(s.ClusterIPs, netip.MustParseAddr(address))
		}
		return s
	}
	selected := service("tools", "git", "10.96.0.2", "fd00:96::2")
	selected.Selector = map[string]string{"app": "git"}
	moved := *selected
	moved.Ports = nil
	c := meshtest.Apply(&catalog.Namespace{Name: "shop", Monitored: true})
	for _, step := range []struct {
		name    string
		change  catalog.Change
		affects bool
		want    []string
	}{
		{"a Service outside, without ranges", catalog.Set(service("tools", "git", "10.96.0.2", "fd00:96::2")), true, nil},
		{"the ranges", catalog.Set(&catalog.ServiceCIDR{Name: "kubernetes", Ranges: prefixes("10.96.0.0/16", "fd00:96::/112")}), false, []string{"10.96.0.2", "fd00:96::2"}},
		{"a Service of the mesh", catalog.Set(service("shop", "web", "10.96.0.1")), false, []string{"10.96.0.2", "fd00:96::2"}},
		{"the selector of the Service outside", catalog.Set(selected), false, []string{"10.96.0.2", "fd00:96::2"}},
		{"the port of the Service outside", catalog.Set(&moved), true, nil},
		{"the port as before", catalog.Set(selected), true, []string{"10.96.0.2", "fd00:96::2"}},
		{"a Service without an address", catalog.Set(service("tools", "headless")), false, []string{"10.96.0.2", "fd00:96::2"}},
		{"a Service outside of the ranges", catalog.Set(service("other", "far", "10.1.0.1")), true, []string{"10.96.0.2", "fd00:96::2"}},
		{"a namespace that joins", catalog.Set(&catalog.Namespace{Name: "tools", Monitored: true}), true, nil},
		{"a namespace that leaves", catalog.Set(&catalog.Namespace{Name: "shop"}), true, []string{"10.96.0.1"}},
		{"a deleted Service", catalog.Change{Ref: service("shop", "web").Ref()}, true, nil},
	} {
		affected := c.Apply([]catalog.Change{step.change})
		if got := slices.Contains(affected, entity.Dep{Kind: entity.DepServicesOutside}); got != step.affects {
			t.Errorf("%s: affects the addresses is %t, want %t", step.name, got, step.affects)
		}
		var want []netip.AddrPort
		for _, address := range step.want {
			want = append(want, netip.AddrPortFrom(netip.MustParseAddr(address), 80))
		}
		view := c.View()
		if got := view.ServicesOutside(); !slices.Equal(got, want) {
			t.Errorf("%s: the Services outside are %v, want %v", step.name, got, want)
		}
		for _, kind := range []entity.DepKind{entity.DepServicesOutside, entity.DepServiceRanges} {
			if !slices.Contains(view.Deps(), entity.Dep{Kind: kind}) {
				t.Errorf("%s: the dependencies are %v, want %v", step.name, view.Deps(), kind)
			}
		}
	}
}
