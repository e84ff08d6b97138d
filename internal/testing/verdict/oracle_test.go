package verdict

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// TestOracle_AgreesWithScopes compares the destinations of the policy engine with those of the client's scope, without sidecars.
func TestOracle_AgreesWithScopes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := AnyState().Draw(t, "mesh")
		o := newOracle(w)
		for i, p := range pods {
			view := o.catalog.View()
			known, some := destinations(scope.Build(view, trustDomain, scope.KeyFor(view, view.Pod(p.name))))
			for _, address := range o.serviceAddresses() {
				e := o.expect(Request{Pod: i, To: address, Method: "GET", Path: "/"})
				if e.verdict.Connectable() != known[address] {
					t.Fatalf("%s at %s: the verdict is %s, but that its scope has the destination is %v\n%s", p.name, address, e, known[address], w)
				}
				if e.verdict.May(authz.Refused) == some {
					t.Fatalf("%s at %s: the verdict is %s, but that its scope has any destination is %v\n%s", p.name, address, e, some, w)
				}
			}
		}
	})
}

// destinations returns the addresses and ports of a scope, and whether it has any.
func destinations(s *scope.Scope) (known map[netip.AddrPort]bool, some bool) {
	known = map[netip.AddrPort]bool{}
	for _, out := range s.Outbound {
		for _, address := range out.Addresses {
			known[netip.AddrPortFrom(address, out.Port)] = true
			if out.Headless() {
				known[netip.AddrPortFrom(address, out.PodPort)] = true
			}
		}
	}
	return known, s.Egress || len(s.Outbound)+len(s.EgressPorts) > 0
}
