package verdict

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestDenials_OfRealSidecars has a client that may call nothing, a client with a policy for another Service, and one whose requests the server denies
// by their path, and one that loads destinations on demand. Each denial is known with its client, destination, reason and count, also of sidecars of the earlier Envoy. Nothing else is.
func TestDenials_OfRealSidecars(t *testing.T) {
	t.Parallel()
	n := NewMixedNetwork(t)
	web := Service("a", "s1", "x", virtualAddress(1).String(), 80, inventory.ProtocolHTTP)
	web.Ports[0].TargetPort = webPort
	n.Reset(t, podsOnly().with([]catalog.Change{
		catalog.Set(&catalog.Settings{}), catalog.Set(web), catalog.Set(Group("a", "g1", "/a")), catalog.Set(Group("a", "g2", "/b")),
		catalog.Set(Service("a", "s2", "none", virtualAddress(2).String(), 80, inventory.ProtocolHTTP)),
		catalog.Set(Target("one", accounts[0], []catalog.TargetRule{HTTP("g1")}, accounts[2])),
		catalog.Set(Target("two", accounts[1], []catalog.TargetRule{HTTP("g1")}, accounts[2])),
		catalog.Set(Target("other", accounts[0], []catalog.TargetRule{HTTP("g2")}, accounts[0])),
	}))
	const thief, loader, buyer = 1, 2, 3 // indices of pods
	ask := func(pod int, address netip.Addr, path string, times int) {
		t.Helper()
		for range times {
			n.send(Request{Pod: pod, To: netip.AddrPortFrom(address, 80), Method: "GET", Path: path, Headers: []authz.Header{{Name: ":authority", Value: "web"}}})
		}
	}
	ask(thief, virtualAddress(1), "/a", 3)
	ask(buyer, virtualAddress(2), "/a", 4)
	ask(buyer, virtualAddress(7), "/a", 2)
	ask(buyer, virtualAddress(1), "/b", 10)
	ask(buyer, virtualAddress(1), "/a", 5)
	ask(loader, virtualAddress(2), "/a", 6)
	ask(loader, virtualAddress(1), "/b", 2)
	want := map[string]uint64{
		"a/one (pod/p3) at the client, a/s2, no policy":                                    6,
		"a/two (pod/p2) at the client, a/s1, no policy":                                    3,
		"b/three (pod/p4) at the client, a/s2, no policy":                                  4,
		fmt.Sprintf("b/three (pod/p4) at the client, %s:80, no policy", virtualAddress(7)): 2,
		"b/three () at the server, a/s1, no policy":                                        10,
	}
	var got map[string]uint64
	eventually.True(t, 20*time.Second, "all denials are known", func() bool {
		list, dropped, err := n.control.denials.Named(t.Context(), n.control.store.View)
		if err != nil || dropped > 0 {
			t.Fatalf("%d dropped, %v", dropped, err)
		}
		var sum uint64
		got = map[string]uint64{}
		for _, d := range list {
			document := d.Report()
			got[fmt.Sprintf("%s (%s) at the %s, %s, %s", document.Client, document.ClientWorkload, document.Side, document.Destination(), document.Reason)] += d.Count
			sum += d.Count
		}
		return sum >= 25
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
