package catalog_test

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestServicesAtAddresses asks for a virtual address, addresses of a pod, and addresses that belong to no Service.
func TestServicesAtAddresses(t *testing.T) {
	web := Pod("shop", "web-0", "web", "web", "10.0.0.1")
	view := Apply(
		&catalog.Namespace{Name: "shop", Monitored: true}, web, Service("shop", "web", "web", "10.96.0.1", 80, inventory.ProtocolHTTP),
		Service("other", "web", "web", "10.96.0.2", 80, inventory.ProtocolHTTP),
	).View()
	target := view.TargetPorts(view.Service(Name("shop", "web")), view.Service(Name("shop", "web")).Ports[0])[0]
	port := catalog.ServicePort{Service: Name("shop", "web"), Number: 80}
	want := map[netip.AddrPort]catalog.ServicePort{}
	var asked []netip.AddrPort
	for address, known := range map[netip.AddrPort]bool{
		netip.MustParseAddrPort("10.96.0.1:80"):                          true,
		netip.MustParseAddrPort("10.96.0.1:81"):                          false,
		netip.MustParseAddrPort("10.96.0.2:80"):                          false,
		netip.MustParseAddrPort("203.0.113.9:443"):                       false,
		netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), target):      true,
		netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), target+1000): false,
	} {
		asked = append(asked, address)
		if known {
			want[address] = port
		}
	}
	if diff := cmp.Diff(want, view.ServicesAt(asked), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("Services (-want +got):\n%s", diff)
	}
}
