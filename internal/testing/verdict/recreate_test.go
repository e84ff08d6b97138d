package verdict

import (
	"net/netip"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestRecreatedServiceGetsNewRules recreates a Service while the connections of the deleted one drain. It must not get the old rules.
// TestVerdicts found this race, at a rate of one in about ten thousand pairs.
func TestRecreatedServiceGetsNewRules(t *testing.T) {
	t.Parallel()
	n := NewNetwork(t)
	service := func(app string) *inventory.Service {
		return Service("a", "s1", app, virtualAddress(1).String(), 80, inventory.ProtocolHTTP)
	}
	here, gone := service("x"), service("nobody")
	here.Ports[0].TargetPort, gone.Ports[0].TargetPort = webPort, webPort
	// Another Service keeps the inbound listener of the pods, so that only one of its filter chains changes.
	stays := Service("a", "s2", "x", virtualAddress(2).String(), 80, inventory.ProtocolHTTP)
	stays.Ports[0].TargetPort = otherPort
	denies, permits := &catalog.Settings{}, &catalog.Settings{Permissive: true}
	w := podsOnly().with([]catalog.Change{
		catalog.Set(denies), catalog.Set(gone), catalog.Set(stays), catalog.Set(Group("a", "g1", "/other")),
		catalog.Set(Target("one", accounts[0], []catalog.TargetRule{HTTP("g1")}, accounts[1])),
		catalog.Set(Target("two", accounts[1], []catalog.TargetRule{HTTP("g1")}, accounts[0])),
	})
	n.Reset(t, w)
	var requests []Request
	for client := range 3 {
		requests = append(requests, Request{
			Pod: client, To: netip.AddrPortFrom(virtualAddress(1), 80), Method: "HEAD", Path: "/a", Headers: []authz.Header{{Name: ":authority", Value: "web"}},
		})
	}
	const rounds = 20
	for range rounds {
		n.Step(t, []catalog.Change{catalog.Set(here), catalog.Set(permits)}, requests)
		n.Step(t, []catalog.Change{catalog.Set(gone), catalog.Set(denies)}, requests)
		n.Step(t, []catalog.Change{catalog.Set(here)}, requests)
		n.Step(t, []catalog.Change{catalog.Set(gone)}, requests)
	}
}
