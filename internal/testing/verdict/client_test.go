package verdict

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestThreat40ServicesBehindOnePort covers Services and clients that share accounts or ports. Under load, after a permission is
// granted, only the permitted pods respond.
func TestThreat40ServicesBehindOnePort(t *testing.T) {
	t.Parallel()
	n := NewNetwork(t)
	at := func(pod int, service byte) Request {
		return Request{Pod: pod, To: netip.AddrPortFrom(virtualAddress(service), 80), Method: "GET", Path: "/a", Headers: []authz.Header{{Name: ":authority", Value: "web"}}}
	}
	service := func(i int, app string) *inventory.Service {
		s := Service("a", services[i].name.Name, app, virtualAddress(services[i].address).String(), 80, inventory.ProtocolHTTP)
		s.Ports[0].TargetPort = webPort
		return s
	}
	grant := func(destination, source int) catalog.Change {
		return catalog.Set(Target("grant", accounts[destination], []catalog.TargetRule{HTTP("all")}, accounts[source]))
	}
	elsewhere := newPod(0, "y", ready)
	root := service(0, "nobody")
	root.Selector, root.Ports[0].TargetPort, root.Ports[0].TargetName = nil, 0, "web"
	for _, test := range []struct {
		name    string
		mesh    []catalog.Entry
		edit    catalog.Change
		request Request
		want    []string
	}{
		{"pods of two accounts, one of which may be called", []catalog.Entry{service(0, "x")}, grant(1, 2), at(3, 1), []string{"p2:8080"}},
		{"two Services with one selector and port", []catalog.Entry{service(0, "x"), service(1, "x")}, grant(0, 2), at(3, 2), []string{"p1:8080", "p3:8080"}},
		{"a client without any Service", []catalog.Entry{service(0, "x")}, grant(0, 2), at(3, 1), []string{"p1:8080", "p3:8080"}},
		{"a pod that calls its own Service and is alone behind it", []catalog.Entry{elsewhere, service(0, "y")}, grant(0, 0), at(0, 1), []string{"p1:8080"}},
		{
			"a root without selector and pods",
			[]catalog.Entry{root, service(1, "x"), &catalog.TrafficSplit{Name: Name("a", "split"), Root: root.Name, Backends: []catalog.SplitBackend{{Service: services[1].name, Weight: 1}}}},
			grant(0, 2), at(3, 1),
			[]string{"p1:8080", "p3:8080"},
		},
		{
			"a backend that appears",
			[]catalog.Entry{
				service(0, "nobody"), Target("grant", accounts[0], []catalog.TargetRule{HTTP("all")}, accounts[2]),
				&catalog.TrafficSplit{Name: Name("a", "split"), Root: services[0].name, Backends: []catalog.SplitBackend{{Service: services[1].name, Weight: 1}}},
			},
			catalog.Set(service(1, "x")), at(3, 1),
			[]string{"p1:8080", "p3:8080"},
		},
	} {
		w := podsOnly()
		for _, e := range append(test.mesh, Group("a", "all", "/.*"), &catalog.Settings{}) {
			w[e.Ref()] = e
		}
		n.Reset(t, w)
		n.Step(t, []catalog.Change{test.edit}, []Request{test.request})
		const asked = 20
		for range asked {
			if seen := n.send(test.request); !slices.Contains(test.want, seen) {
				t.Errorf("%s: %s sees %q, want one of %q", test.name, test.request, seen, test.want)
			}
		}
	}
}
